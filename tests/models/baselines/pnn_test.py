import numpy as np
import pytest

from interhat_tf.models import PNN
from tests.layers import reference
from tests.models.baselines.contract import DeepContract


class ProductContract(DeepContract):
    products: tuple

    def equation(self, parts):
        signals = [parts.flat, *(product(parts.fields) for product in self.products)]
        return parts.logit(parts.deep(np.concatenate(signals, axis=1)))

    def parameters(self, sizes):
        widths = {reference.inner_product: sizes.pairs, reference.outer_product: sizes.d**2}
        width = sizes.width + sum(widths[product] for product in self.products)
        return sizes.embeddings + sizes.deep(width)


class TestIPNN(ProductContract):
    name = "ipnn"
    products = (reference.inner_product,)


class TestOPNN(ProductContract):
    name = "opnn"
    products = (reference.outer_product,)


class TestPNN(ProductContract):
    name = "pnn"
    products = (reference.inner_product, reference.outer_product)


def test_rejects_a_product_that_it_does_not_know(schema):
    with pytest.raises(ValueError, match="one of inner, outer, both; got 'cross'"):
        PNN(schema, product="cross")
