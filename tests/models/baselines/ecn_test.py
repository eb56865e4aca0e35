import numpy as np
import pytest

from interhat_tf.models import ECN
from tests.layers import reference
from tests.models.baselines.contract import DropoutContract


class TestECN(DropoutContract):
    name = "ecn"
    arguments = {"embedding_dim": 4, "num_cross_layers": 2}
    changed = {**DropoutContract.changed, "dropout": 0.2, "batch_norm": True, "dense_l2": 0.01}

    def equation(self, parts):
        halves = np.split(parts.fields, 2, axis=2)
        x_0 = np.concatenate([half.reshape(len(half), -1) for half in halves], axis=1)
        return parts.logit(reference.exponential_cross_network(x_0, parts.of("cross"), 2))

    def parameters(self, sizes):
        width = sizes.width
        return sizes.embeddings + 2 * (width**2 // 2 + 2 * width) + width + 1

    def test_batch_norm_reaches_the_crosses(self, schema):
        assert len(self.build(schema, batch_norm=True).cross.normalizations) == 2


def test_rejects_an_odd_embedding_size(schema):
    with pytest.raises(ValueError, match="embedding_dim must be even, got 5"):
        ECN(schema, embedding_dim=5)
