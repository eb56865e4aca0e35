r"""Trains one model on one data set.

    interhat train --dataset=frappe --raw_dir=FOLDER --preset=released \
        --seed=0 --output_dir=runs/frappe-released-0

Prepares a public data set if need be, trains, keeps the weights that are best on
validation, and writes the run's folder (see `interhat_tf/training/run_folder.py`).
`--resume` goes on with a run that was stopped. `--start_from` goes on from a finished
one, with its model and its settings, on the same set or on one that grew from it:

    interhat train --dataset=day2 --start_from=runs/day1 --output_dir=runs/day2

Otherwise all hyperparameters default to
the preset's and, where the paper gives them, to its Table 2 for the data set.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from absl import flags

from interhat_tf.commands.conditions import condition
from interhat_tf.commands.cross_flags import crosses, define_cross_flags
from interhat_tf.commands.data_flags import define_data_flags, open_data
from interhat_tf.commands.flag_groups import group
from interhat_tf.commands.signature_flags import arguments_of, define_from_signatures, given
from interhat_tf.errors import SettingError
from interhat_tf.explanation.callback import AttentionHeatmaps
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import MODELS, PRESETS
from interhat_tf.models.presets import hyperparameters, needs_whole_batches
from interhat_tf.preprocessing.rows import SPLITS
from interhat_tf.schema import Schema
from interhat_tf.training.continuation import EarlierRun
from interhat_tf.training.distribution import STRATEGIES
from interhat_tf.training.loop import train
from interhat_tf.training.observed_rates import reliability
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.training.summaries import add_pictures
from interhat_tf.utils.threads import use_one_thread_an_operation

REQUIRED = ("dataset", "output_dir")
NO_FLAGS = ("schema", "product", "seed", "frozen_vectors")
"""Arguments that `--model` decides about, and those that all models share."""
BY_FIELD = ("numerical_embedding", "pooling")
"""Arguments of which each field may have its own."""
MANY_VALUES = 1_000_000
"""From so many on, exact Adam's pass over all embeddings is a good part of a step on a CPU."""


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_data_flags(values)
    flags.DEFINE_string("output_dir", None, "the run's folder", values)
    flags.DEFINE_enum("model", "interhat", list(MODELS.load()), "model to train", values)
    flags.DEFINE_enum("preset", "released", list(PRESETS), "form of InterHAt", values)
    flags.DEFINE_integer(
        "seed", 0, "seed of the weights, the records' order and dropout", flag_values=values
    )
    flags.DEFINE_bool("resume", False, "go on with the run in output_dir, if any", values)
    flags.DEFINE_string("start_from", None, "folder of an earlier run to go on from", values)
    flags.DEFINE_bool("test", True, "evaluate the test split after training", values)
    with group(values, "crosses"):
        define_cross_flags(values)
    with group(values, "heat maps"):
        _define_heatmap_flags(values)
    with group(values, "devices"):
        _define_device_flags(values)
    with group(values, "the model's arguments, as far as it has them; default: the preset's"):
        define_from_signatures(MODELS.values(), values, NO_FLAGS)
    with group(values, "the training; default: the preset's"):
        define_from_signatures([TrainingSettings], values, NO_FLAGS)
    return values


def _define_heatmap_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_multi_string(
        "heatmap_where",
        [],
        "draw the mean attention where FIELD=VALUE,FIELD=VALUE,... holds",
        flag_values=values,
    )
    flags.DEFINE_multi_enum(
        "heatmap_splits",
        ["validation"],
        SPLITS,
        "splits that the heat maps are about",
        flag_values=values,
    )
    flags.DEFINE_multi_integer(
        "heatmap_epochs",
        None,
        "epochs, from 0, after which they are drawn; default: the end",
        flag_values=values,
    )


def _define_device_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_bool(
        "deterministic",
        False,
        "the same weights on any number of threads of a CPU, and again on a GPU; no XLA there",
        values,
    )
    types = ["float32", "mixed_bfloat16", "float64"]
    flags.DEFINE_enum("dtype", "float32", types, "type that the model computes in", values)
    flags.DEFINE_enum(
        "strategy",
        "one",
        list(STRATEGIES),
        "one device, all GPUs here, or all workers of TF_CONFIG",
        flag_values=values,
    )


def main(values: flags.FlagValues) -> None:
    """Trains the model and prints its figures."""
    if values.deterministic:
        tf.config.experimental.enable_op_determinism()
    earlier = EarlierRun(values.start_from) if values.start_from else None
    microbatches = (
        continued(values, earlier).microbatch_size if earlier else _has_microbatches(values)
    )
    if microbatches or values.deterministic:
        use_one_thread_an_operation()  # before TensorFlow works
    strategy = STRATEGIES[values.strategy]()
    crossed = crosses(values)
    data = open_data(values, crosses=crossed)
    keras.utils.set_random_seed(values.seed)
    model, training, config = _asked(values, data, earlier, strategy)
    if values.heatmap_where and not hasattr(model, "explain"):
        raise SettingError(f"{values.model} has no attention that a heat map could show")
    if note := _note_on_tables(data.schema, training.optimizer):
        print(note)
    config["deterministic"] = values.deterministic
    if crossed:
        config["crosses"] = [dataclasses.asdict(cross) for cross in crossed]
    folder = pathlib.Path(values.output_dir)
    finished = (folder / "report.json").exists()  # what is resumed then is left as it is
    report = train(
        model,
        data,
        folder,
        training,
        config=config,
        callbacks=[heatmaps(data, values)] if hasattr(model, "explain") else [],
        resume=values.resume,
        start_from=values.start_from,
        test=values.test,
    )
    if not finished and strategy.extended.should_checkpoint:
        _draw(model, data, folder)
    for split in ("validation", "test"):
        if split in report:
            auc, logloss = report[split]["auc"], report[split]["logloss"]
            print(f"{split}: auc {auc:.5f}, logloss {logloss:.5f}")
    if note := _note_on_overfitting(report):
        print(note)


def _asked(
    values: flags.FlagValues,
    data: PreparedDataset,
    earlier: EarlierRun | None,
    strategy: tf.distribute.Strategy,
) -> tuple[keras.Model, TrainingSettings, dict[str, Any]]:
    """Returns the model, how it is trained, and the record of what was asked for."""
    if earlier:
        with strategy.scope():
            model = earlier.load_model(data)
        model.training_settings = {**model.training_settings, **_training_flags(values)}
        return model, continued(values, earlier), {"dataset": values.dataset}
    arguments, changed = settings(values, data)
    with strategy.scope():
        model = MODELS[values.model](data.schema, dtype=values.dtype, **arguments)
    model.training_settings = changed  # for `align_attention` and `train` of the saved model
    config = {name: values[name].value for name in ("dataset", "model", "preset")}
    config |= {"arguments": arguments, "dtype": values.dtype}
    return model, TrainingSettings(seed=values.seed, **changed), config


def _note_on_tables(schema: Schema, optimizer: str) -> str | None:
    """Says that steps are slow of which each moves very many embeddings, or nothing."""
    values = sum(field.vocabulary_size for field in schema.fields if field.shares is None)
    if optimizer != "adam" or values < MANY_VALUES:
        return None
    return (
        f"note: each step of Adam moves the embeddings of all {values:,} values; "
        f"--optimizer=lazy_adam moves those of its records alone, and "
        f"`interhat prepare --min_count` leaves rare values out"
    )


def _note_on_overfitting(report: Mapping[str, Any]) -> str | None:
    """Says that no epoch after the first one gained anything, and what to try, or nothing."""
    losses = [epoch["loss"] for epoch in report["history"]]
    if report["best_epoch"] > 1 or len(losses) < 3 or losses[-1] > losses[0]:
        return None
    penalty = report["config"].get("arguments", {}).get("embedding_l2")
    given = "" if penalty is None else f" (it was {penalty:.3g})"
    return (
        f"note: of {len(losses)} epochs the first was the best on validation: after it the model "
        f"learnt the training records by heart; try a stronger --embedding_l2{given}, or "
        f"`interhat tune`"
    )


def _draw(model: keras.Model, data: PreparedDataset, folder: pathlib.Path) -> None:
    """Draws how reliable the probabilities are, and adds a run's pictures to its logs."""
    if model.distribute_strategy.num_replicas_in_sync == 1:  # several have to predict together
        found = reliability(model, data, "validation")
        found.plot(folder / "validation_reliability.png", f"{data.name}, validation")
    add_pictures(folder)


def continued(values: flags.FlagValues, earlier: EarlierRun) -> TrainingSettings:
    """Returns the settings of a run that goes on from an earlier one: that one's, then the flags'.

    Raises:
        ValueError: If a flag is about the model, which is the earlier run's.
    """
    about_model = given(values, arguments_of(MODELS.values(), NO_FLAGS))
    if of_model := sorted({*about_model, *(f for f in ("model", "preset") if values[f].present)}):
        raise SettingError(
            f"--{of_model[0]} does not go with --start_from: the model is that run's"
        )
    return dataclasses.replace(earlier.settings, seed=values.seed, **_training_flags(values))


def _training_flags(values: flags.FlagValues) -> dict[str, Any]:
    """Returns the arguments of `TrainingSettings` that flags were given for."""
    return given(values, arguments_of([TrainingSettings], NO_FLAGS))


def _has_microbatches(values: flags.FlagValues) -> bool:
    return bool(TrainingSettings(**settings(values)[1]).microbatch_size)


def settings(
    values: flags.FlagValues, data: PreparedDataset | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the arguments of the model and of `TrainingSettings`: a preset's, then the flags'.

    Args:
        values: The command's flags.
        data: The data set. Defaults to `None`, what the preset knows of it.

    Raises:
        ValueError: If the model has no such argument.
    """
    changed = given(values, arguments_of(MODELS.values(), NO_FLAGS))
    if unknown := set(changed) - arguments_of([MODELS[values.model]]):
        raise SettingError(f"{values.model} has no argument {', '.join(sorted(unknown))}")
    known = (data.num_rows("train"), data.schema) if data else ()
    arguments, training = hyperparameters(values.dataset, values.preset, values.model, *known)
    arguments |= changed | {name: by_field(changed[name]) for name in BY_FIELD if name in changed}
    training |= _training_flags(values)
    if values.microbatch_size is None and (
        training.get("jit_compile")
        or needs_whole_batches(arguments)
        or tf.config.list_physical_devices("GPU")
    ):
        training.pop("microbatch_size", None)
    return arguments, training


def by_field(names: str) -> str | dict[str, str]:
    """Returns what a flag of `BY_FIELD` names: one for all fields, or FIELD=NAME,FIELD=NAME,...

    Example:

    >>> by_field("piecewise"), by_field("price=piecewise,age=periodic")
    ('piecewise', {'price': 'piecewise', 'age': 'periodic'})
    """
    if "=" not in names:
        return names
    pairs = (pair.rpartition("=") for pair in names.split(","))
    return {field: name for field, _, name in pairs}


def heatmaps(data: PreparedDataset, values: flags.FlagValues) -> AttentionHeatmaps:
    """Returns the callback that draws the mean attention of all records and of the conditions'."""
    batches = data.evaluation_batches(values.heatmap_splits[0])
    for split in values.heatmap_splits[1:]:
        batches = batches.concatenate(data.evaluation_batches(split))
    conditions = {text: condition(data, text) for text in values.heatmap_where}
    return AttentionHeatmaps(
        f"{values.output_dir}/attention",
        batches=batches,
        conditions={"all": None, **conditions},
        epochs=values.heatmap_epochs,
    )
