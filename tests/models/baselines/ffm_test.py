from tests.layers import reference
from tests.models.baselines.contract import ModelContract


class TestFFM(ModelContract):
    name = "ffm"
    arguments = {"embedding_dim": 4}

    def equation(self, parts):
        return parts.linear + reference.field_aware_factorization_machine(parts.fields)

    def parameters(self, sizes):
        return 1 + sizes.n + sizes.n * sizes.m * sizes.d
