from tests.models.baselines.contract import DeepContract


class TestWideAndDeep(DeepContract):
    name = "wide_deep"

    def equation(self, parts):
        return parts.linear + parts.logit(parts.deep(parts.flat))

    def parameters(self, sizes):
        return sizes.n + sizes.embeddings + sizes.deep(sizes.width)
