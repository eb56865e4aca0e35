from tests.layers import reference
from tests.models.baselines.contract import (
    ModelContract,
    PublicBenchmarkContract,
    SymmetryContract,
)


class TestFM(SymmetryContract, PublicBenchmarkContract, ModelContract):
    name = "fm"
    arguments = {"embedding_dim": 4}
    public_parameters = 59280

    def equation(self, parts):
        return parts.linear + reference.factorization_machine(parts.fields)

    def parameters(self, sizes):
        return 1 + sizes.n + sizes.n * sizes.d
