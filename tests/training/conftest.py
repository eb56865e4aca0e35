"""Runs that several tests of training look at."""

import pytest

from tests.training.runs import interrupt, run


@pytest.fixture(scope="session")
def unbroken(rule_data, tmp_path_factory):
    """The folder and the report of a run that was left alone."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, run(rule_data, folder)


@pytest.fixture(scope="session")
def stopped(rule_data, tmp_path_factory):
    """The folder of the same run, stopped within the first epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, rule_data, folder, at=3)
    return folder
