from tests.models.baselines.contract import ModelContract, SymmetryContract


class TestLR(SymmetryContract, ModelContract):
    name = "lr"
    arguments = {}
    changed = {}
    learns_pairs = False

    def equation(self, parts):
        return parts.linear

    def parameters(self, sizes):
        return sizes.n + 1
