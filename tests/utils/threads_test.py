import pytest
import tensorflow as tf

from interhat_tf.utils.threads import prepare_for_microbatches, use_one_thread_an_operation
from tests.conftest import run_python

SCRIPT = """
import tensorflow as tf
from interhat_tf import Field, InterHAt, Schema
InterHAt.from_preset("released", Schema([Field("app", "categorical", 9)]), dataset="DATASET")
assert tf.config.threading.get_intra_op_parallelism_threads() == THREADS
"""


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "threads"), [("criteo", 1), ("frappe", 0)])
def test_a_preset_with_microbatches_settles_the_threads(dataset, threads):
    run_python("-c", SCRIPT.replace("DATASET", dataset).replace("THREADS", str(threads)))


def test_threads_are_settled_before_anything_else():
    tf.constant(1) + 1  # by now this process has been at work
    with pytest.raises(RuntimeError):
        use_one_thread_an_operation()
    assert not prepare_for_microbatches()
