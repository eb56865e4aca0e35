"""Gives a trained model effects that come with its predictions."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from interhat_tf.errors import DataError, SettingError
from interhat_tf.explanation.effect_fidelity import effect_fidelity
from interhat_tf.explanation.effect_targets import KINDS, EffectTargets
from interhat_tf.explanation.interactions import field_groups
from interhat_tf.layers import EffectHead
from interhat_tf.ops import cpu_kernels
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.limits import check_choice

if TYPE_CHECKING:
    from interhat_tf.input_pipeline.dataset import PreparedDataset
    from interhat_tf.models import ClickModel

BATCH_SIZE = 512
LEARNING_RATE = 3e-3
STEPS = 4_000
"""Steps that a head takes at least: after fewer its estimates are far from what they can be."""
STEPS_A_FIELD = 400
"""And for each field: a record teaches the head one or two of its fields' effects a step."""


def least_steps(schema: Schema) -> int:
    """Returns how many steps the head of a model of these records takes at least."""
    return max(STEPS, STEPS_A_FIELD * len(schema.record_fields))


def fit_effects(
    model: "ClickModel",
    data: "PreparedDataset",
    kind: str = "occlusion",
    *,
    pairs: bool = False,
    epochs: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Fits an `EffectHead` to a trained model, which holds it from then on.

    An exact effect costs tens of predictions for each field. The head estimates
    all fields' effects from what the model computes for a prediction anyway. It
    learns by the squared error from `EffectTargets`: one random field of each
    record takes the value of another training record, which is one more
    prediction, three with pairs, and two in the Shapley form. The model's weights
    stay as they are.

    The head is saved and exported with the model. `InterHAt.explain` returns
    `effects`, and `pair_effects`; `explain_effects` of any model does; and
    `explain_records` has effects without a background. How well the estimates
    agree with exact effects is measured on validation records, and said wherever
    they are shown. After more training a model's effects are to be fitted again.

    Args:
        model: A trained model, any `ClickModel`. An earlier head of it is replaced.
        data: The `PreparedDataset` that it was trained on.
        kind: `"occlusion"`, what a field's value adds against other records' values
            of it, as `occlusion` computes it; or `"shapley"`, its Shapley value
            against other records, as `sampled_shapley_values`: then effects and
            the mean logit add up to the logit, about.
        pairs: Whether to estimate as well what each pair of a record's fields adds
            together, as `pair_effects` computes it. Defaults to `False`.
        epochs: Passes over the training records, in steps of 512 records. Defaults to as many
            as have 400 steps for each field, and 4,000 at least.
        seed: Seed of the order of the records and of the fields that change. Those
            of the head's first weights are Keras'.

    Returns:
        How well the effects were found to agree with exact ones, as
        `effect_fidelity` has it. It is `model.diagnosis["effects"]` as well.

    Raises:
        ValueError: If the kind is unknown, pairs are asked for in the Shapley form
            or of one field, the model is of other records than the data set, or
            there are too few records.

    Example:

    >>> fit_effects(model, data)["r2"]  # doctest: +SKIP
    0.93
    >>> model.explain(records)["effects"]  # doctest: +SKIP
    """
    _check(model, data, kind, pairs)
    of_epoch = data.num_rows("train") // BATCH_SIZE
    if epochs is None:
        epochs = math.ceil(least_steps(model.schema) / of_epoch)
    steps = epochs * of_epoch
    head = model.make_effect_head({"num_pairs": len(field_groups(model.schema, 2)) if pairs else 0})
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, steps, end_learning_rate=0.0)
    )
    optimizer.build(head.trainable_variables)
    step = _compile_step(model, head, optimizer, EffectTargets(model, kind, pairs, seed))
    # The short batch at an epoch's end would have too few donors.
    whole = data.training_batches(BATCH_SIZE, seed).filter(
        lambda _, labels, *weights: tf.size(labels) == BATCH_SIZE
    )
    for inputs, *_ in whole.take(steps):
        step(inputs)
    fidelity = effect_fidelity(model, head, data, kind)
    model.hold_effects(head, fidelity)
    return fidelity


def _compile_step(
    model: "ClickModel",
    head: EffectHead,
    optimizer: keras.optimizers.Optimizer,
    targets: EffectTargets,
) -> Callable[[Batch], None]:
    """Returns the function that trains the head on a batch."""

    @tf.function(autograph=False, reduce_retracing=True)
    def step(inputs: Batch) -> None:
        with cpu_kernels():
            described = model.describe(inputs)
            drawn = targets.draw(inputs, described.logits[:, 0])
        with tf.GradientTape() as tape:
            found = head(described.fields, described.summary, training=True)
            errors = [
                tf.gather(found[name], number, batch_dims=1) - value  # (B,)
                for name, number, value in drawn
            ]
            loss = tf.add_n([tf.reduce_mean(tf.square(error)) for error in errors])
        gradients = tape.gradient(loss, head.trainable_variables)
        optimizer.apply(gradients, head.trainable_variables)

    return step


def _check(model: "ClickModel", data: "PreparedDataset", kind: str, pairs: bool) -> None:
    check_choice("kind", kind, KINDS)
    if pairs and kind == "shapley":
        raise SettingError("effects of pairs are second differences: pairs=True needs 'occlusion'")
    if pairs and not field_groups(model.schema, 2):
        raise SettingError("pairs=True needs records of two fields or more")
    data.check_model(model)
    for split, needed in (("train", BATCH_SIZE), ("validation", 1)):
        if (rows := data.num_rows(split)) < needed:
            raise DataError(
                f"fit_effects needs {needed} {split} records at least; {data.name} has {rows}"
            )
