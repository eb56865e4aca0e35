"""What all models of the registry offer alike."""

import pytest

from interhat_tf.models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_was_called_prints_its_summary(name, schema, batch):
    model = MODELS[name](schema)
    model(batch)
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert f"Total params: {model.count_params():,}" in text
    assert "?" not in text, "an output shape is not known"
