from tests.layers import reference
from tests.models.baselines.contract import DropoutContract, PublicBenchmarkContract


class TestQNNAlpha(PublicBenchmarkContract, DropoutContract):
    name = "qnn_alpha"
    arguments = {"embedding_dim": 4, "num_layers": 2, "num_maps": 3}
    changed = {**DropoutContract.changed, "dropout": 0.2, "batch_norm": True, "dense_l2": 0.01}
    public = {"embedding_dim": 16, "batch_norm": True}
    public_parameters = 764369
    public_sizes = (942, 4084, 9, 9, 4, 5, 4, 11, 82, 233)

    def equation(self, parts):
        x = parts.flat
        for layer in (1, 2):
            x = reference.quadratic_layer(x, parts.of(f"quadratic_{layer}"), 3)
        return parts.logit(x)

    def parameters(self, sizes):
        width = sizes.width
        return sizes.embeddings + 2 * 3 * (width**2 + width) + width + 1

    def test_batch_norm_reaches_the_layers(self, schema):
        model = self.build(schema, batch_norm=True)
        assert [layer.maps.batch_norm for layer in model.quadratics] == [True, True]
