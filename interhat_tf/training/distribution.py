"""Training on several devices: the strategies, and what each of their replicas reads.

A replica is a copy of the model on one device. All take a step together, each on
its part of the batch, and add up their gradients.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset

STRATEGIES = {
    "one": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
}
"""What makes each strategy, in whose scope a model is to be built: for one device, for all GPUs
of this machine, for all devices of the workers that `TF_CONFIG` names. Several workers are one
process each, started alike but for `TF_CONFIG`, and wait for one another; their strategy must be
made before TensorFlow does anything else."""


def scope_of(model: keras.Model) -> contextlib.AbstractContextManager:
    """Returns the scope in which a model is built whose variables lie as another's do.

    Keras has strategies on TensorFlow alone; elsewhere the scope does nothing.
    """
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy else contextlib.nullcontext()


def distribute_batches(
    strategy: tf.distribute.Strategy,
    data: PreparedDataset,
    batch_size: int,
    shards: int,
    unknown_share: float = 0.0,
    **order: int,
) -> Any:
    """Returns the training batches, cut into the parts of a strategy's replicas.

    Each replica reads the shards that fall to it and no others.

    Args:
        strategy: The strategy.
        data: The `PreparedDataset`.
        batch_size: Rows of a step, over all replicas.
        shards: Shards of the data, a multiple of the replicas.
        unknown_share: Share of the values that are taken for unknown. Defaults to 0.
        **order: `seed`, `first_epoch` and `skip_batches` of
            `PreparedDataset.training_batches`.

    Returns:
        A data set of batches, `next` of whose iterator is what `strategy.run` takes.

    Raises:
        ValueError: If the replicas do not divide the shards.
    """
    replicas = strategy.num_replicas_in_sync
    if shards % replicas:
        raise SettingError(f"{shards} shards cannot be distributed to {replicas} replicas equally")

    def batches_of(replica: int) -> tf.data.Dataset:
        first, last = (number * shards // replicas for number in (replica, replica + 1))
        return data.training_batches(
            batch_size,
            shards=shards,
            of_shards=range(first, last),
            unknown_share=unknown_share,
            **order,
        )

    def batches_of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here
        of_replicas = [batches_of(replica) for replica in range(first, first + here)]
        if here == 1:
            return of_replicas[0]
        # The strategy gives one batch to each replica in turn.
        turns = tf.data.Dataset.range(here).repeat()
        return tf.data.Dataset.choose_from_datasets(of_replicas, turns)

    return strategy.distribute_datasets_from_function(batches_of_worker)


def check_agreement(strategy: tf.distribute.Strategy, *numbers: int) -> None:
    """Waits for all replicas, and checks that their workers come with the same numbers.

    Raises:
        ValueError: If they do not.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    mine = tf.constant([numbers], tf.int64)  # (1, numbers)
    every = strategy.gather(strategy.run(lambda: tf.identity(mine)), axis=0)  # (replicas, numbers)
    if (np.asarray(every) != np.asarray(mine)).any():
        raise SettingError(
            f"the workers are at different epochs or steps, {np.asarray(every).tolist()}; "
            "they must share the run's folder"
        )


@contextlib.contextmanager
def naming_lost_workers() -> Iterator[None]:
    """Says what to do where TensorFlow reports that another worker cannot be reached.

    Raises:
        ConnectionError: In place of TensorFlow's error.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise ConnectionError(
            "another worker is gone; start all workers again, and resume the run"
        ) from error
