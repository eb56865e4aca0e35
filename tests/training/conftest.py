"""Runs that several tests of training look at."""

import pytest

from tests.training.runs import run_leaving_copies


@pytest.fixture(scope="session")
def copies(tmp_path_factory):
    """What the run `unbroken` leaves where it is killed at an event."""
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(scope="session")
def unbroken(rule_data, tmp_path_factory, copies):
    """The folder and the report of a run that was left alone."""
    folder = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        return folder, run_leaving_copies(patch, rule_data, folder, copies)


@pytest.fixture(scope="session")
def stopped(unbroken, copies):
    """The folder of the same run, stopped within the first epoch."""
    return copies / "3"
