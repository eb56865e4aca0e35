import numpy as np
import pytest

from interhat_tf.models import FinalMLP
from tests.layers import reference
from tests.models.baselines.contract import (
    DeepContract,
    ModelContract,
    Parts,
    PublicBenchmarkContract,
)
from tests.numpy_reference import randomise, weights_of

SIZES = {"embedding_dim": 4, "mlp_units": (6, 4), "second_mlp_units": (6,), "num_heads": 2}


def fused(parts, first, second):
    """The logit of the two streams' inputs."""
    x = reference.mlp(first, parts.of("mlp"), 2)
    y = reference.mlp(second, parts.of("second_mlp"), 1)
    linear = parts.logit(np.concatenate([x, y], axis=1))
    return linear + reference.bilinear_fusion(x, y, parts.of("fusion"))


class TestFinalMLP(PublicBenchmarkContract, DeepContract):
    name = "finalmlp"
    arguments = SIZES
    normalised = (6, 4, 6)
    public = {
        "mlp_units": (400,),
        "batch_norm": True,
        "first_gate_field": "f0",
        "second_gate_field": "f1",
    }
    # The public code's fusion has a bias for each stream, and only their sum counts.
    public_parameters = 253392 - 1
    public_sizes = (956, 4084, 9, 9, 4, 5, 4, 11, 82, 235)

    def equation(self, parts):
        return fused(parts, parts.flat, parts.flat)

    def parameters(self, sizes):
        first = sizes.width * 6 + 6 + 6 * 4 + 4
        second = sizes.width * 6 + 6
        return sizes.embeddings + first + second + (4 + 6 + 1) + 2 * 2 * 3


class TestGatedStreams:
    arguments = {**SIZES, "first_gate_field": "site", "second_gate_field": "app", "gate_units": 3}

    def test_equals_numpy(self, schema, batch):
        model = randomise(FinalMLP(schema, **self.arguments))
        parts = Parts(batch, weights_of(model), schema.vocabulary_sizes)
        app, site = batch["categorical"].T
        inputs = [
            reference.feature_gate(
                parts.flat,
                parts.of(f"{stream}_context")["table"][ids],
                parts.of(f"{stream}_gate"),
            )
            for stream, ids in (("first", site), ("second", app))
        ]
        np.testing.assert_allclose(model(batch), fused(parts, *inputs), rtol=1e-4, atol=1e-4)

    def test_penalties_reach_contexts_and_gates(self, schema):
        model = FinalMLP(schema, embedding_l2=0.1, dense_l2=0.01, **self.arguments)
        for context in model.contexts.values():
            assert context.table.regularizer.l2 == pytest.approx(0.1)
        for gate in model.gates.values():
            assert gate.gate.kernel.regularizer.l2 == pytest.approx(0.01)

    def test_copies_and_saves(self, schema, batch, tmp_path):
        contract = ModelContract()
        contract.name, contract.arguments = "finalmlp", self.arguments
        contract.test_copies_from_the_configuration_alone(schema, batch)
        contract.test_saved_model_loads(schema, batch, tmp_path)


def test_rejects_a_field_that_cannot_gate(schema):
    with pytest.raises(ValueError, match=r"no categorical field 'price'.*there are: app, site"):
        FinalMLP(schema, first_gate_field="price")
