import numpy as np
import pytest

from interhat_tf.models import DCNv2
from tests.layers import reference
from tests.models.baselines.contract import DeepContract, PublicBenchmarkContract


class TestDCNv2(PublicBenchmarkContract, DeepContract):
    name = "dcn_v2"
    arguments = {**DeepContract.arguments, "num_cross_layers": 2}
    public = {"batch_norm": True}
    public_parameters = 458391

    def equation(self, parts):
        crossed = reference.cross_network_v2(parts.flat, parts.weights, 2)
        return parts.logit(np.concatenate([crossed, parts.deep(parts.flat)], axis=1))

    def parameters(self, sizes):
        width = sizes.width
        return sizes.embeddings + 2 * (width**2 + width) + sizes.deep(width) + width


class TestStackedDCNv2(DeepContract):
    name = "dcn_v2"
    arguments = {**TestDCNv2.arguments, "structure": "stacked"}

    def equation(self, parts):
        return parts.logit(parts.deep(reference.cross_network_v2(parts.flat, parts.weights, 2)))

    def parameters(self, sizes):
        width = sizes.width
        return sizes.embeddings + 2 * (width**2 + width) + sizes.deep(width)


def test_rejects_a_structure_that_it_does_not_know(schema):
    with pytest.raises(ValueError, match="structure must be one of parallel, stacked; got 'both'"):
        DCNv2(schema, structure="both")
