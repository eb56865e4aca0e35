import keras
import numpy as np

from interhat_tf.training.optimizers import Adam
from tests.conftest import random_batch
from tests.layers import reference
from tests.models.baselines.contract import DeepContract, PublicBenchmarkContract


class TestDeepFM(PublicBenchmarkContract, DeepContract):
    name = "deepfm"
    public = {"batch_norm": True}
    public_parameters = 423280

    def equation(self, parts):
        y_fm = parts.linear + reference.factorization_machine(parts.fields)
        return y_fm + parts.logit(parts.deep(parts.flat))

    def parameters(self, sizes):
        return sizes.n + sizes.embeddings + sizes.deep(sizes.width)

    def test_compile_fit_evaluate_predict(self, schema, rng):
        batch = random_batch(schema, rng, rows=256)
        labels = (batch["categorical"][:, 0] > 3).astype("float32")
        model, loss = self.build(schema), keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(Adam(0.05), loss, jit_compile=False)
        before = model.evaluate(batch, labels, verbose=0)
        model.fit(batch, labels, batch_size=32, epochs=5, verbose=0)
        assert model.evaluate(batch, labels, verbose=0) < 0.5 * before
        np.testing.assert_allclose(model.predict(batch, verbose=0), model(batch), atol=1e-4)
