import numpy as np

from tests.layers import reference
from tests.models.baselines.contract import DeepContract, PublicBenchmarkContract


class TestDCN(PublicBenchmarkContract, DeepContract):
    name = "dcn"
    arguments = {**DeepContract.arguments, "num_cross_layers": 2}
    public = {"num_cross_layers": 3, "batch_norm": True}
    public_parameters = 418591

    def equation(self, parts):
        crossed = reference.cross_network(parts.flat, parts.of("cross"), 2)
        return parts.logit(np.concatenate([crossed, parts.deep(parts.flat)], axis=1))

    def parameters(self, sizes):
        width = sizes.width
        return sizes.embeddings + 2 * 2 * width + sizes.deep(width) + width
