import os

import pytest

from experiments.speed.processes import fresh_process, run_alone


def test_a_process_has_its_own_environment(monkeypatch):
    monkeypatch.setenv("ANOTHER", "kept")
    assert run_alone(os.getenv, "OF_ITS_OWN", OF_ITS_OWN="1") == "1"
    assert "OF_ITS_OWN" not in os.environ and os.environ["ANOTHER"] == "kept"


def test_functions_of_a_block_run_in_one_process():
    with fresh_process() as call, fresh_process() as other:
        assert call(os.getpid) == call(os.getpid)
        assert len({call(os.getpid), other(os.getpid), os.getpid()}) == 3


def test_an_error_comes_back():
    with pytest.raises(ValueError, match="invalid literal"):
        run_alone(int, "seven")
