import numpy as np

from interhat_tf.models import FinalNet
from tests.layers import reference
from tests.models.baselines.contract import DeepContract, PublicBenchmarkContract

FRAPPE = (956, 4084, 9, 9, 4, 5, 4, 11, 82, 235)


def block(parts, inputs, name, layers):
    return reference.factorized_interaction_block(inputs, parts.of(name), layers)


def first_block(parts):
    gated = reference.field_gate(parts.fields, parts.of("gate"))
    return parts.logit(block(parts, gated.reshape(len(gated), -1), "mlp", 2))


class TestFinalNet(PublicBenchmarkContract, DeepContract):
    name = "finalnet"
    arguments = {"embedding_dim": 4, "mlp_units": (6, 4), "second_mlp_units": (8,)}
    normalised = (6, 4, 8)
    public = {"mlp_units": (400, 400), "batch_norm": True}
    public_parameters = 338502
    public_sizes = FRAPPE

    def equation(self, parts):
        second = parts.logit(block(parts, parts.flat, "second_mlp", 1), "second_logit")
        return (first_block(parts) + second) / 2

    def parameters(self, sizes):
        first = 2 * sizes.width * 6 + 6 + 6 * 4 + 4 + 4 + 1
        second = sizes.width * 8 + 8 + 8 + 1
        return sizes.embeddings + sizes.m**2 + sizes.m + first + second

    def test_logits_are_the_means_of_the_blocks(self, schema, batch):
        model = self.make(schema)
        logits = model.block_logits(batch)
        assert logits.shape == (16, 2)
        np.testing.assert_allclose(np.mean(logits, axis=1), model(batch)[:, 0], rtol=1e-5)
        assert not np.allclose(logits[:, 0], logits[:, 1], atol=0.1)


class TestOneBlock(PublicBenchmarkContract, DeepContract):
    name = "finalnet"
    arguments = {"embedding_dim": 4, "mlp_units": (6, 4), "second_mlp_units": ()}
    normalised = (6, 4)
    public = {
        "mlp_units": (400, 400),
        "second_mlp_units": (),
        "field_gate": False,
        "batch_norm": True,
    }
    public_parameters = 256791
    public_sizes = FRAPPE

    def equation(self, parts):
        return first_block(parts)

    def parameters(self, sizes):
        first = 2 * sizes.width * 6 + 6 + 6 * 4 + 4 + 4 + 1
        return sizes.embeddings + sizes.m**2 + sizes.m + first


def test_without_a_gate_the_first_block_reads_the_fields_alone(schema):
    assert not FinalNet(schema, field_gate=False).gate
    assert FinalNet(schema, field_gate=False, embedding_dim=4).mlp.dense[0].kernel.shape[0] == 16
