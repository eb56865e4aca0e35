from tests.models.baselines.contract import DeepContract


class TestDNN(DeepContract):
    name = "dnn"

    def equation(self, parts):
        return parts.logit(parts.deep(parts.flat))

    def parameters(self, sizes):
        return sizes.embeddings + sizes.deep(sizes.width)
