"""InterHAt's presets, whole: what each form is made of, and what it is trained with.

Arguments of the model and of `training.TrainingSettings` stand together, as plain
data. `InterHAt.from_preset` and the command line of `experiments` read them here.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from interhat_tf.schema import Schema
from interhat_tf.utils.limits import check_choice, check_limits


@dataclasses.dataclass(frozen=True)
class LogForm:
    """What a preset has on logs of many values, or of many values and many records.

    Args:
        values: Number of the fields' values beyond which a log has it.
        rows: Number of training records beyond which it does. Defaults to 0.
        arguments: Arguments of `InterHAt`, in place of the preset's.
        training: Arguments of `TrainingSettings`, likewise.
        l2: The regularisation weight lambda. Defaults to `None`, the preset's.
    """

    values: int
    rows: int = 0
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    l2: float | None = None


@dataclasses.dataclass(frozen=True)
class Preset:
    """A form of InterHAt.

    Args:
        arguments: Arguments of `InterHAt`; they win over those of a data set.
        penalties: The L2 penalties as shares of lambda, by argument of
            `InterHAt`.
        training: Arguments of `TrainingSettings`; they win over those of a data
            set.
        l2: The regularisation weight lambda. Defaults to `None`, the data set's.
        per_record: Whether lambda is divided by the number of training records,
            as where Equation 6 adds it to the sum of all records' losses. A
            step minimises their mean. Defaults to `True`.
        per_value: Whether lambda is multiplied by the number of the fields' values, of
            which `VALUES_A_RECORD` of each record, or of each of `rows`, count. Defaults
            to `False`.
        rows: Number of training records beyond which lambda falls once more as 1 / |D|.
            Defaults to `None`: it does not.
        fits_batches: Whether few records have smaller batches, so that an epoch
            has `STEPS_AN_EPOCH` steps. Defaults to `False`.
        largest_batch: Size up to which batches grow with the number of records, as long as
            an epoch has ten times `STEPS_AN_EPOCH` steps; the learning rate grows as its
            root. Defaults to `None`: they do not grow.
        averages_epochs: Whether the weights are averaged over an epoch's steps; see
            `average_momentum`. Defaults to `False`: as `training` says.
        of_logs: What it has on some logs, one form after another: each replaces what the
            ones before it say.
    """

    arguments: Mapping[str, Any]
    penalties: Mapping[str, float]
    training: Mapping[str, Any]
    l2: float | None = None
    per_record: bool = True
    per_value: bool = False
    rows: int | None = None
    fits_batches: bool = False
    largest_batch: int | None = None
    averages_epochs: bool = False
    of_logs: Sequence[LogForm] = ()

    def for_log(self, rows: int, values: int) -> "Preset":
        """Returns the form that a log of so many training records and values has."""
        form = self
        for of_log in self.of_logs:
            if values > of_log.values and rows > of_log.rows:
                form = dataclasses.replace(
                    form,
                    arguments={**form.arguments, **of_log.arguments},
                    training={**form.training, **of_log.training},
                    l2=form.l2 if of_log.l2 is None else of_log.l2,
                )
        return form


@dataclasses.dataclass(frozen=True)
class DatasetRow:
    """What fits a data set, whatever the form.

    Args:
        sizes: Arguments of `InterHAt`: d, s and h.
        l2: The regularisation weight lambda.
        rows: The number |D| of training records, where none is given: the data
            set's own.
        values: The number of the fields' values, where none is given: Table 1's
            distinct features.
        training: Arguments of `TrainingSettings` for any model. The paper gives
            neither learning rate nor batch size: these were chosen on validation.
        fits_batches: As of a `Preset`, for any model. Defaults to `False`.
        microbatch_size: On a CPU, how many of InterHAt's records stay in a
            core's cache. It changes no result but by rounding.
    """

    sizes: Mapping[str, int]
    l2: float
    rows: int
    values: int
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fits_batches: bool = False
    microbatch_size: int | None = None


_PAPER = {
    "attention_activation": None,
    "attention_bias": False,
    "residual": False,
    "aggregation_bias": False,
    "order_attention_size": None,
    "order_activation": "relu",
    "mlp_bias": True,
}
_RELEASED = {
    "attention_activation": "relu",
    "attention_bias": True,
    "residual": True,
    "aggregation_bias": True,
    "order_attention_size": 16,
    "order_activation": None,
    "mlp_bias": False,
}

_FRAPPE_ROWS = 202_027

_MANY_VALUES = 20_000

VALUES_A_RECORD = 0.3
"""Beyond so many values a record, most are of one record or two, and none asks for more penalty.

`experiments/tuning/tuned.py` compares penalties on logs of 0.03 to 4 values a record."""

PRESETS = {
    # The equations as printed (Sections 3.1 to 3.4). Section 3.4's "shallow MLP" has no sizes,
    # so it takes the released code's, with the usual biases. Equation 6 penalises all weights.
    "paper": Preset(
        arguments=_PAPER,
        penalties={"embedding_l2": 1.0, "aggregation_l2": 1.0, "dense_l2": 1.0},
        training={"beta_2": 0.999},
    ),
    # The same equations. The penalty that is best on Frappe's validation is some hundred times
    # the printed one, and of the embeddings alone (REPRODUCTION.md, 6).
    "paper_searched": Preset(
        arguments=_PAPER,
        penalties={"embedding_l2": 1.0},
        training={"beta_2": 0.999},
        l2=1000.0,
    ),
    # The authors' code, which differs from their equations in every line. It penalises the
    # aggregations alone, with the factor 1/2 of TensorFlow 1's regulariser. That does not reach
    # the paper's figures: the embeddings, which Equation 6 names first, are penalised as well
    # (REPRODUCTION.md, 6).
    "released": Preset(
        arguments=_RELEASED,
        penalties={"embedding_l2": 1.0, "aggregation_l2": 0.5},
        training={"beta_2": 0.98},
        per_record=False,
    ),
    # Field-aware values, which let the attention choose what an MLP over all fields reads, in the
    # second order of pairs too, and a penalty that is the stronger the fewer records there are for
    # a value: Frappe's. On MovieLens' 1.6 million records it was too strong: beyond Frappe's number
    # it falls faster. On logs of many values of one record each, as most logs of one's own are, it
    # was too strong as well, and nothing was learnt for epochs: hence `VALUES_A_RECORD`. Values of
    # pairs want wide embeddings, which learn nothing for some epochs on small logs: hence the
    # patience; so the others can be fewer. Of many values, narrow embeddings and values that orders
    # share, without pairs, take half of the time; on small generated logs they lose less than seeds
    # differ by. On Frappe and MovieLens the former are less accurate, and on Frappe attention
    # decides less with the latter. Of 8 million records, batches of 4,096 are ahead of 1,024 at any
    # time. Averages of two hundred steps are an epoch of Frappe's; on MovieLens those of its own
    # epoch are far better. On logs of two million records and many values a stronger penalty is
    # ahead, together with a rate that falls; on 160,000 such a rate stops too soon. Aligned from
    # the first epoch on, attention makes all steps longer; in three epochs after the best one it
    # comes to follow the effects too.
    # On Frappe without the pairs that training knows, the penalty is too weak by far: where
    # records are learnt by heart, it grows.
    # `experiments/tuning/tuned.py` is how all this was chosen; TRIALS.md has figures.
    "tuned": Preset(
        arguments={
            "embedding_dim": 64,
            "attention_size": 16,
            "order": 2,
            "num_heads": 1,
            "self_attention": False,
            "value_dim": 80,
            "pair_values": True,
            "mlp_units": (200,),
            "dropout": 0.1,
        },
        penalties={"embedding_l2": 1.0},
        training={
            "learning_rate": 5e-4,
            "beta_2": 0.999,
            "batch_size": 1024,
            "microbatch_size": None,
            "learning_rate_factor": 1.0,
            "patience": 10,
            "effect_weight": 0.05,
            "effect_donors": 8,
            "alignment_epochs": 3,
            "alignment_cost": 5e-4,
            "penalty_factor": 2.0,
        },
        l2=1.2,
        per_value=True,
        rows=_FRAPPE_ROWS,
        fits_batches=True,
        largest_batch=4096,
        averages_epochs=True,
        of_logs=(
            LogForm(
                values=_MANY_VALUES,
                arguments={
                    "embedding_dim": 16,
                    "value_dim": 200,
                    "pair_values": False,
                    "shared_values": True,
                },
                training={"patience": 5, "alignment_labels": 0.5},
                l2=3.7,
            ),
            LogForm(
                values=_MANY_VALUES,
                rows=1_000_000,
                training={"learning_rate_factor": 0.1, "patience": 2},
                l2=12.0,
            ),
        ),
    ),
}
"""The named forms of InterHAt."""

_FRAPPE_SIZES = {"embedding_dim": 12, "attention_size": 16, "num_heads": 4}

DATASETS = {
    # The first 80% of Table 1's records.
    "criteo": DatasetRow(
        {"embedding_dim": 12, "attention_size": 30, "num_heads": 12},
        l2=2e-4,
        rows=11_000_000,
        values=605_700,
        microbatch_size=256,
    ),
    "avazu": DatasetRow(
        {"embedding_dim": 8, "attention_size": 20, "num_heads": 8},
        l2=2e-4,
        rows=9_700_000,
        values=23_800,
        microbatch_size=256,
    ),
    "frappe": DatasetRow(
        _FRAPPE_SIZES,
        l2=2e-3,
        rows=_FRAPPE_ROWS,
        values=5_382,
        training={"learning_rate": 3e-3, "batch_size": 1024},
    ),
    # Not in the paper's table: Frappe's sizes, without a penalty and with a tenth of Frappe's.
    "synthetic_rules": DatasetRow(
        _FRAPPE_SIZES,
        l2=0.0,
        rows=80_000,
        values=100,
        training={"learning_rate": 2e-3, "batch_size": 512},
    ),
    "movielens_ctr": DatasetRow(
        _FRAPPE_SIZES,
        l2=2e-4,
        rows=1_600_170,
        values=9_893,
        training={"learning_rate": 2e-3, "batch_size": 4096},
    ),
}
"""The rows of the paper's Table 2 (d, s, h and lambda), and how their data sets are trained."""

WHOLE_BATCH_ARGUMENTS = ("dropout", "batch_norm", "score_batch_norm", "mlp_batch_norm", "value_dim")
"""Arguments that bring dropout or batch normalisation, which `value_dim` has by default."""

INTERHAT = ("interhat", "interhat_s")
"""The models that have presets."""

OTHER_DATASET = DatasetRow(
    _FRAPPE_SIZES,
    l2=2e-3,
    rows=DATASETS["frappe"].rows,
    values=DATASETS["frappe"].values,
    training={"batch_size": 2048},
    fits_batches=True,
)
"""What a data set without a row has: Frappe's sizes, lambda and numbers of records and values."""

SHORTEST_AVERAGE, LONGEST_AVERAGE = 200, 10_000
"""Steps over which weights are averaged, at least and at most.

Beyond the latter, single precision would lose what a step adds to an average."""

STEPS_AN_EPOCH = 150
"""Steps that an epoch has at least where batches adapt to the number of records.

Averaged weights and `patience` need some: `experiments/tuning/tuned.py` compares batches."""


def hyperparameters(
    dataset: str | None,
    preset: str,
    model: str = "interhat",
    rows: int | None = None,
    schema: Schema | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the model's arguments and the training settings of a preset on a data set.

    Args:
        dataset: Name of the data set, as NAME or NAME/CONFIG, or `None`. One
            that has no row in `DATASETS` takes Frappe's.
        preset: Name of a preset in `PRESETS`.
        model: Name of the model. Defaults to `"interhat"`. Only InterHAt and
            InterHAt-S have presets; other models have their own defaults.
        rows: Number of training records. Most presets divide their penalties by
            it; and the batches of `"tuned"`, and of a data set that has no row, are
            so small that an epoch has `STEPS_AN_EPOCH` steps. Beyond three million rows
            those of `"tuned"` are larger, and it averages weights over an epoch. Defaults to
            `None`, that of the data set's row.
        schema: The records' schema: `"tuned"` multiplies its penalty by the number of
            values, and is narrower where there are many. Defaults to `None`, the number of
            the data set's row.

    Returns:
        Two dictionaries: arguments of the model, arguments of `TrainingSettings`.

    Raises:
        ValueError: If the preset is unknown, or `rows` is less than 1.

    Example:

    >>> model, training = hyperparameters("avazu", "released")
    >>> model["embedding_dim"], training["beta_2"]
    (8, 0.98)
    >>> model, _ = hyperparameters("my_log", "paper", rows=100_000)  # lambda is 2e-3
    >>> model["embedding_l2"]
    2e-08
    """
    check_choice("preset", preset, PRESETS)
    check_limits({"rows": rows}, {"rows": int})
    row, form = DATASETS.get((dataset or "").split("/")[0], OTHER_DATASET), PRESETS[preset]
    if model not in INTERHAT:
        arguments, training, fits_batches = {}, dict(row.training), row.fits_batches
    else:
        values = row.values if schema is None else number_of_values(schema, rows or row.rows)
        form = form.for_log(rows or row.rows, values)
        penalties = _penalties(form, row, rows or row.rows, values)
        arguments = {**row.sizes, **penalties, **form.arguments}
        training = {**row.training, "microbatch_size": row.microbatch_size, **form.training}
        training = {name: value for name, value in training.items() if value is not None}
        fits_batches = row.fits_batches or form.fits_batches
        training |= _larger_batches(training, form.largest_batch, rows)
    if fits_batches and rows is not None:
        training["batch_size"] = min(training["batch_size"], _batch_size(rows, STEPS_AN_EPOCH))
    if model in INTERHAT and form.averages_epochs:
        training["ema_momentum"] = average_momentum(rows or row.rows, training["batch_size"])
    return arguments, training


def average_momentum(rows: int, batch_size: int) -> float:
    """Returns the momentum of an average of weights over an epoch's steps.

        m = 1 - 1 / min(max(|D| / batch_size, SHORTEST_AVERAGE), LONGEST_AVERAGE)

    TRIALS.md compares it with others where an epoch has 200 steps and where it has 1,600.

    Args:
        rows: The number |D| of training records.
        batch_size: Records of a step.

    Example:

    >>> average_momentum(160_000, 1024), average_momentum(2_048_000, 1024)
    (0.995, 0.9995)
    """
    steps = min(max(rows / batch_size, SHORTEST_AVERAGE), LONGEST_AVERAGE)
    return round(1 - 1 / steps, 6)


def _penalties(form: Preset, row: DatasetRow, rows: int, values: int) -> dict[str, float]:
    l2 = row.l2 if form.l2 is None else form.l2
    if form.per_record:
        l2 /= rows
    if form.per_value:
        l2 *= min(values, VALUES_A_RECORD * min(rows, form.rows or rows))
    if form.rows is not None:
        l2 *= min(1, form.rows / rows)
    return {name: share * l2 for name, share in form.penalties.items()}


def _larger_batches(
    training: Mapping[str, Any], largest: int | None, rows: int | None
) -> dict[str, Any]:
    """Returns what changes of a training where there are very many records."""
    if largest is None or rows is None:
        return {}
    size = min(largest, _batch_size(rows, 10 * STEPS_AN_EPOCH))
    growth = size / training["batch_size"]
    if growth <= 1:
        return {}
    return {"batch_size": size, "learning_rate": training["learning_rate"] * growth**0.5}


def _batch_size(rows: int, steps: int) -> int:
    """Returns the largest power of two, of 32 at least, with so many steps an epoch."""
    return 2 ** max(5, (rows // steps).bit_length() - 1)


def number_of_values(schema: Schema, rows: int) -> int:
    """Returns how many values fields have, a numerical one 1, and none more than records.

    Values that fields share count once.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> fields = [Field("app", "categorical", 20), Field("user", "categorical", 10**6)]
    >>> number_of_values(Schema([*fields, Field("price", "numerical")]), rows=1000)
    1021
    >>> history = Field("history", "sequence", 20, max_length=50, shares="app")
    >>> number_of_values(Schema([*fields, history]), rows=1000)
    1020
    """
    own = [field for field in schema.record_fields if field.shares is None]
    return sum(min(max(field.vocabulary_size, 1), rows) for field in own)


def needs_whole_batches(arguments: Mapping[str, Any]) -> bool:
    """Returns whether a model of these arguments has dropout or batch normalisation.

    What they compute depends on the other records of a batch, so that it cannot be cut into
    microbatches. It has to be known before there is a model: threads are settled before
    TensorFlow works. Once there is one, `training.microbatch.check_microbatches` asks it.

    Example:

    >>> needs_whole_batches({"dropout": 0.1}), needs_whole_batches({"order": 2})
    (True, False)
    """
    return any(map(arguments.get, WHOLE_BATCH_ARGUMENTS))
