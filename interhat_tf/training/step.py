"""The training step: of whole batches, or of microbatches that stay in the cache."""

import os

import keras
import tensorflow as tf

from interhat_tf.ops import cpu_kernels
from interhat_tf.training.optimizers import Adam

LABELS = "labels"


def compile_steps(model, optimizer, loss_sum, jit_compile=False, microbatch_size=None):
    """Returns the function that trains a model for a number of steps.

    A step minimises the mean logloss of a batch plus the model's penalties. The
    replicas of the strategy that the model was built under each take a part of
    the batch.

    Args:
        model: A model that gives logits, (B, 1).
        optimizer: The optimizer, built for the model's trainable variables.
        loss_sum: float64 variable to which each record's logloss is added.
        jit_compile: Whether XLA compiles the step. Defaults to `False`.
        microbatch_size: Records whose gradient is computed at a time. The
            batch's is the sum over its microbatches, several of which are
            computed side by side, so that the step is the same but for the order
            of the sums. On a CPU the numbers of a small microbatch stay in a
            core's cache; see `use_one_thread_an_operation`. Defaults to `None`,
            the whole batch.

    Returns:
        A function of an iterator of batches and the number of steps, a scalar
        tensor; see `distribution.distribute_batches` for several replicas.

    Raises:
        ValueError: As `check_microbatches`, if microbatches are asked for.
    """
    if microbatch_size:
        check_microbatches(model, jit_compile)
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    variables = model.trainable_variables

    def gradient(inputs, labels, rows):
        """Returns the sum of the loglosses, and the gradient of that sum over `rows`."""
        with tf.GradientTape() as tape:
            losses = _losses(model, inputs, labels)  # (B,)
            objective = tf.reduce_sum(losses) / tf.cast(rows, losses.dtype)
        return tf.reduce_sum(tf.cast(losses, tf.float64)), tape.gradient(objective, variables)

    def whole_gradient(inputs, labels, rows):
        """Returns the sum of the loglosses, and the gradient of the step's objective.

        It lacks the penalties that the optimizer adds.
        """
        if microbatch_size:
            loss, gradients = _sum_over_microbatches(
                gradient, inputs, labels, rows, microbatch_size
            )
        else:
            loss, gradients = gradient(inputs, labels, rows)
        in_step = [
            variable
            for variable, later in zip(
                variables, _penalties_of_tables(optimizer, gradients, variables), strict=True
            )
            if variable.regularizer and not later
        ]
        with tf.GradientTape() as tape:
            penalty = sum((v.regularizer(v) for v in in_step), start=0.0) / replicas
        if in_step:
            gradients = _added(gradients, tape.gradient(penalty, variables))
        return loss, gradients

    def train_step(inputs, labels):
        rows = tf.shape(labels)[0]
        if replicas > 1:
            rows = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, rows)
        loss, gradients = whole_gradient(inputs, labels, rows)
        penalties = _penalties_of_tables(optimizer, gradients, variables)
        # `apply` sums over the replicas.
        optimizer.apply(gradients, variables, *([penalties] if any(penalties) else []))
        return loss

    # XLA compiles no exchange between replicas.
    compiled = tf.function(jit_compile=jit_compile, reduce_retracing=True)
    if replicas > 1:
        whole_gradient = compiled(whole_gradient)
    else:
        train_step = compiled(train_step)

    @tf.function
    def train_steps(batches, steps):
        for _ in tf.range(steps):
            losses = strategy.run(train_step, args=next(batches))
            loss_sum.assign_add(strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None))

    return train_steps


def check_microbatches(model, jit_compile=False):
    """Checks that a model can be trained in microbatches.

    Raises:
        ValueError: If it has dropout or batch normalisation, whose results
            depend on what else is in the batch or was before, or XLA is to
            compile it.
    """
    if jit_compile:
        raise ValueError("microbatch_size and jit_compile do not go together; choose one")
    if model.non_trainable_variables:
        raise ValueError("microbatch_size needs a model without dropout and batch normalisation")


def compile_prediction(model, microbatch_size=None):
    """Returns a function from a batch's inputs to its logits, (B, 1).

    The replicas of the strategy that the model was built under, if there are
    several, share the batch; each gets all logits.

    Args:
        model: A model that gives logits, (B, 1).
        microbatch_size: As for `compile_steps`.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1 and not microbatch_size:
        return model.predict_on_batch

    def predict(inputs):
        with cpu_kernels():  # here, since a strategy's replicas have threads of their own
            if not microbatch_size:
                return model(inputs)
            microbatches, microbatch_of, rest = _cut(inputs, microbatch_size)
            left = model(rest)  # (rows left over, 1)
            logits = tf.TensorArray(left.dtype, microbatches + 1, element_shape=[None, 1])
            _, logits = tf.while_loop(
                lambda i, _: i < microbatches,
                lambda i, logits: (i + 1, logits.write(i, model(microbatch_of(i)))),
                (0, logits.write(microbatches, left)),
                parallel_iterations=_side_by_side(),
            )
            return logits.concat()  # (B, 1)

    def predict_part(inputs):
        replica = tf.distribute.get_replica_context()
        rows, number = tf.shape(next(iter(inputs.values())))[0], replica.replica_id_in_sync_group
        first, last = (i * rows // replicas for i in (number, number + 1))
        logits = predict({kind: values[first:last] for kind, values in inputs.items()})
        return replica.all_gather(logits, axis=0)  # (B, 1)

    @tf.function(reduce_retracing=True)
    def predict_batch(inputs):
        if replicas == 1:
            return predict(inputs)
        return strategy.experimental_local_results(strategy.run(predict_part, args=(inputs,)))[0]

    return predict_batch


def use_one_thread_an_operation():
    """Lets TensorFlow's threads work on different operations instead of parts of one.

    Small microbatches are computed faster so. It holds for the whole
    process, and must come before TensorFlow does anything else.

    Raises:
        RuntimeError: If TensorFlow has been at work already.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(_threads())


def _losses(model, inputs, labels):
    logits = model(inputs, training=True)[:, 0]  # (B,)
    labels = tf.cast(labels, logits.dtype)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)  # (B,)


def _penalties_of_tables(optimizer, gradients, variables):
    """Returns the strengths of the penalties that an optimizer adds, 0 for those in the gradients.

    `Adam` visits all rows of a table anyway. The gradient of an L2 penalty would
    have as many, where the loss has a gradient for the rows of the batch alone.
    """
    return [
        float(variable.regularizer.l2)
        if isinstance(optimizer, Adam)
        and isinstance(gradient, tf.IndexedSlices)
        and isinstance(variable.regularizer, keras.regularizers.L2)
        else 0.0
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


def _sum_over_microbatches(gradient, inputs, labels, rows, microbatch_size):
    """Returns the sums over a batch's microbatches of what `gradient` returns.

    Gradients that are rows of a table stay rows, those of all microbatches.
    """
    microbatches, microbatch_of, rest = _cut({**inputs, LABELS: labels}, microbatch_size)

    def of_microbatch(microbatch):
        labels = microbatch.pop(LABELS)
        loss, gradients = gradient(microbatch, labels, rows)
        dense = [g for g in gradients if isinstance(g, tf.Tensor)]
        return loss, gradients, dense, [g for g in gradients if isinstance(g, tf.IndexedSlices)]

    # What is left over comes first: it says which gradients are rows of a table.
    loss, gradients, dense, of_tables = of_microbatch(rest)
    values, ids = (
        [
            tf.TensorArray(
                array.dtype, microbatches + 1, element_shape=[None, *array.shape[1:]]
            ).write(microbatches, array)
            for array in arrays
        ]
        for arrays in ([g.values for g in of_tables], [g.indices for g in of_tables])
    )

    def add_microbatch(i, loss, dense, values, ids):
        more, _, of_weights, of_tables = of_microbatch(microbatch_of(i))
        return (
            i + 1,
            loss + more,
            [total + part for total, part in zip(dense, of_weights, strict=True)],
            [array.write(i, g.values) for array, g in zip(values, of_tables, strict=True)],
            [array.write(i, g.indices) for array, g in zip(ids, of_tables, strict=True)],
        )

    _, loss, dense, values, ids = tf.while_loop(
        lambda i, *_: i < microbatches,
        add_microbatch,
        (0, loss, dense, values, ids),
        parallel_iterations=_side_by_side(),
    )
    dense, tables = iter(dense), iter(zip(values, ids, strict=True))
    summed = []
    for g in gradients:
        if isinstance(g, tf.IndexedSlices):
            of_values, of_ids = next(tables)
            summed.append(tf.IndexedSlices(of_values.concat(), of_ids.concat(), g.dense_shape))
        else:
            summed.append(g if g is None else next(dense))
    return loss, summed


def _added(gradients, others):
    return [
        g if other is None else other if g is None else tf.convert_to_tensor(g) + other
        for g, other in zip(gradients, others, strict=True)
    ]


def _cut(arrays, microbatch_size):
    """Returns the number of microbatches, a function of a microbatch's number, and what is left.

    A microbatch has a shape that is known, which saves the operations that would
    ask for it; what is left over may have no rows.
    """
    microbatches = tf.shape(next(iter(arrays.values())))[0] // microbatch_size
    # Of a batch whose size is known, what is left over would have a shape of its own.
    microbatches = tf.raw_ops.PlaceholderWithDefault(input=microbatches, shape=[])
    whole = {
        # (microbatches, microbatch_size, ...)
        name: tf.reshape(
            array[: microbatches * microbatch_size], [-1, microbatch_size, *array.shape[1:]]
        )
        for name, array in arrays.items()
    }

    def microbatch_of(i):
        return {name: array[i] for name, array in whole.items()}

    return (
        microbatches,
        microbatch_of,
        {name: array[microbatches * microbatch_size :] for name, array in arrays.items()},
    )


def _side_by_side():
    # One more than there are threads, so that none waits for the sums.
    return _threads() + 1


def _threads():
    return int(os.environ.get("TF_NUM_INTRAOP_THREADS") or os.cpu_count() or 1)
