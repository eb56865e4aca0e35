import os

import pytest
import tensorflow as tf

from interhat_tf.utils import threads
from interhat_tf.utils.threads import prepare_for_microbatches, use_one_thread_an_operation
from tests.conftest import run_python

SCRIPT = """
import tensorflow as tf
from interhat_tf import Field, InterHAt, Schema
InterHAt.from_preset("released", Schema([Field("app", "categorical", 9)]), dataset="DATASET")
assert tf.config.threading.get_intra_op_parallelism_threads() == THREADS
"""


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "threads"), [("criteo", 1), ("frappe", 0)])
def test_a_preset_with_microbatches_settles_the_threads(dataset, threads):
    run_python("-c", SCRIPT.replace("DATASET", dataset).replace("THREADS", str(threads)))


def test_threads_are_settled_before_anything_else():
    tf.constant(1) + 1  # by now this process has been at work
    with pytest.raises(RuntimeError):
        use_one_thread_an_operation()
    assert not prepare_for_microbatches()


def test_cores_that_a_process_may_not_use_get_no_threads(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 7, 8}, raising=False)
    assert threads.available_cores() == threads.number_of_threads() == 3
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    assert threads.number_of_threads() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert threads.available_cores() == 64
