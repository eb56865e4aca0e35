from tests.layers import reference
from tests.models.baselines.contract import MLP, DeepContract, ModelContract

ARGUMENTS = {"embedding_dim": 4, "num_layers": 2, "num_heads": 2, "key_dim": 3}


def attended(parts):
    """The logit of the interacting layers."""
    fields = parts.fields
    for layer in (1, 2):
        fields = reference.interacting_layer(fields, parts.of(f"interaction_{layer}"), 2)
    return parts.logit(fields.reshape(len(fields), -1))


def attention_parameters(sizes):
    return sizes.embeddings + 4 * sizes.d * 6 + 4 * 6 * 6 + sizes.m * 6 + 1


class TestAutoInt(ModelContract):
    name = "autoint"
    arguments = ARGUMENTS
    penalties = DeepContract.penalties

    def equation(self, parts):
        return attended(parts)

    def parameters(self, sizes):
        return attention_parameters(sizes)


class TestAutoIntPlus(DeepContract):
    name = "autoint_plus"
    arguments = {**ARGUMENTS, **MLP}

    def equation(self, parts):
        return attended(parts) + parts.logit(parts.deep(parts.flat), "mlp_logit")

    def parameters(self, sizes):
        # The MLP's logit has no bias: the other has one.
        return attention_parameters(sizes) + sizes.deep(sizes.width) - 1
