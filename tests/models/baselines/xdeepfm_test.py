import keras
import pytest

from tests.layers import reference
from tests.models.baselines.contract import DeepContract, PublicBenchmarkContract


class TestXDeepFM(PublicBenchmarkContract, DeepContract):
    name = "xdeepfm"
    arguments = {**DeepContract.arguments, "cin_units": (3, 2)}
    public = {"cin_units": (64,), "batch_norm": True}
    # Without the biases that FuxiCTR gives each feature map and their sum.
    public_parameters = 429809 - 64 - 1

    def equation(self, parts):
        cin = reference.compressed_interaction_network(parts.fields, parts.of("cin"), (3, 2))
        explicit = parts.logit(cin, "cin_logit")
        return parts.linear + explicit + parts.logit(parts.deep(parts.flat))

    def parameters(self, sizes):
        cin = 3 * (1 + sizes.m * sizes.m) + 2 * (1 + 3 * sizes.m)
        return sizes.n + sizes.embeddings + cin + sizes.deep(sizes.width)

    @pytest.mark.parametrize(
        "copy",
        [
            keras.models.clone_model,
            lambda model: keras.models.model_from_json(model.to_json()),
        ],
        ids=["clone_model", "model_from_json"],
    )
    def test_keras_copies_it(self, schema, batch, copy):
        self.assert_copies(schema, batch, copy)
