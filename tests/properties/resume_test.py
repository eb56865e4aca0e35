"""A run that is stopped at any step, once or twice, ends as the unbroken one."""

import pathlib
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interhat_tf.training import loop
from tests.properties import some
from tests.training.runs import (
    assert_equal_weights,
    interrupt,
    load,
    make_model,
    run,
    what_must_be_equal,
)

EPOCHS = 2  # of 64 steps each


@pytest.fixture(scope="module")
def unbroken(rule_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, run(rule_data, folder, max_epochs=EPOCHS)


# Steps a call, after each of which is a checkpoint, and at which of those it is stopped.
stops = st.integers(5, 64).flatmap(
    lambda steps: st.tuples(st.just(steps), st.integers(0, EPOCHS * (-(-64 // steps) + 2) - 2))
)


@pytest.mark.slow
@some(0.1)
@given(stops=st.lists(stops, min_size=1, max_size=2))
def test_any_stop(rule_data, unbroken, stops):
    folder, report = unbroken
    with tempfile.TemporaryDirectory() as other, pytest.MonkeyPatch.context() as patch:
        other, seed = pathlib.Path(other), 0
        for steps, at in stops:
            patch.setattr(loop, "STEPS_PER_CALL", steps)
            model = make_model(rule_data.schema, seed)
            arguments = {"model": model, "max_epochs": EPOCHS, "resume": True}
            try:
                interrupt(patch, rule_data, other, at=at, **arguments)
            except pytest.fail.Exception:  # it was near its end, and is done
                break
            # All must come from the checkpoint; where there is none yet, from the seed.
            seed = 1 if (other / "checkpoint.npz").exists() else 0
        model = make_model(rule_data.schema, seed)
        resumed = run(rule_data, other, model, resume=True, max_epochs=EPOCHS)
        assert what_must_be_equal(resumed) == what_must_be_equal(report)
        assert_equal_weights(load(other), load(folder))
