import numpy as np

from tests.layers import reference
from tests.models.baselines.contract import (
    DropoutContract,
    PublicBenchmarkContract,
    SymmetryContract,
)
from tests.numpy_reference import dense, relu, softmax


class TestAFM(SymmetryContract, PublicBenchmarkContract, DropoutContract):
    name = "afm"
    arguments = {"embedding_dim": 4, "attention_size": 3}
    public_parameters = 60826

    def equation(self, parts):
        pooled = []
        for pairs in reference.elementwise_product(parts.fields):  # (m (m - 1) / 2, d) a record
            hidden = relu(dense(pairs, parts.of("attention"), "projection"))
            weights = softmax(hidden @ parts.weights["attention/context"][:, 0])
            pooled.append(weights @ pairs)
        return parts.linear + parts.logit(np.stack(pooled))

    def parameters(self, sizes):
        d, t = sizes.d, self.arguments["attention_size"]
        return 1 + sizes.n + sizes.n * d + (t * d + 2 * t) + d
