"""How TensorFlow uses a CPU's threads; it settles that once for a process."""

import os


def available_cores() -> int:
    """Returns the number of cores that this process may use: of a container, or under `taskset`."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def number_of_threads() -> int:
    """Returns the number of threads that TensorFlow computes with."""
    return int(os.environ.get("TF_NUM_INTRAOP_THREADS") or available_cores())


def threads_an_operation() -> int | None:
    """Returns the number of threads that a CPU's operation is split between; `None` for a GPU.

    Sums over a batch are made of a part for each, so that their last bits depend on it.
    """
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return None
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or number_of_threads()


def use_one_thread_an_operation() -> None:
    """Lets TensorFlow's threads work on different operations instead of parts of one.

    Microbatches are computed faster so, several side by side. It holds for the
    whole process, and must come before TensorFlow does anything else.

    Raises:
        RuntimeError: If TensorFlow has been at work already.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(number_of_threads())


def prepare_for_microbatches() -> bool:
    """Uses one thread an operation where that serves: without a GPU, before TensorFlow's work.

    Returns:
        Whether it was done.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return False
    try:
        use_one_thread_an_operation()
    except RuntimeError:
        return False
    return True
