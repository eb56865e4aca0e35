"""What is to become of a click log: its label, its fields, and why, decided from some rows."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError, SettingError
from interhat_tf.preprocessing.column_forms import (
    ELEMENTS,
    FORMS,
    NULL_VALUES,
    TEXT,
    TEXT_SEQUENCE,
    TEXTS,
    WHOLE,
    WHOLE_SEQUENCE,
    WHOLES,
    Reading,
    Source,
)
from interhat_tf.preprocessing.column_plan import (
    LABEL,
    LEFT_OUT,
    SPLIT,
    UNKNOWN,
    ColumnPlan,
    ColumnPlanner,
)
from interhat_tf.preprocessing.field_choices import (
    MaxValues,
    Scalings,
    check_hash_sizes,
    check_names,
    check_separators,
    check_sharing,
    describe_choice,
    lengths_of,
    number_fields,
)
from interhat_tf.preprocessing.fields import (
    MAX_VALUES,
    Categorical,
    Multivalued,
    Numerical,
    RawField,
    Sequential,
    as_text,
)
from interhat_tf.preprocessing.kinds import TIME_PARTS, form_of
from interhat_tf.preprocessing.labels import Label, find_label_values, plain_texts
from interhat_tf.preprocessing.row_weights import RowWeights
from interhat_tf.preprocessing.splits import ColumnSplit, RandomSplit, Split, TimeSplit
from interhat_tf.preprocessing.value_lists import is_list
from interhat_tf.schema import CATEGORICAL, MULTIVALUED, NUMERICAL, SEQUENCE

NOT_ASKED_FOR = "not asked for"
NO_NAME = "no name"

RANDOM = RandomSplit()

OF_ANY_VALUE = (TEXT, WHOLE, TEXTS, WHOLES, TEXT_SEQUENCE, WHOLE_SEQUENCE)
"""The forms of which there may be any number of values."""


@dataclasses.dataclass(frozen=True)
class LogPlan:
    """What is to become of a log.

    Args:
        label: The label.
        fields: The `Categorical`, `Multivalued`, `Sequential` and `Numerical` fields.
        reading: How their values are read.
        columns: What becomes of each column, in the log's order.
        rows: Number of rows that were looked at.
        weights: What the rows' weights follow from, or `None`: they have none.
        split: How the rows are split.
    """

    label: Label
    fields: tuple[RawField, ...]
    reading: Reading
    columns: tuple[ColumnPlan, ...]
    rows: int
    split: Split
    weights: RowWeights | None = None


def plan_log(
    sample: pa.Table,
    where: str,
    label: str,
    *,
    positive: str | int | bool | None = None,
    categorical: Sequence[str] | None = None,
    numerical: Sequence[str] | None = None,
    multivalued: Mapping[str, str | None] | None = None,
    sequence: Mapping[str, str | None] | None = None,
    shares: Mapping[str, str] | None = None,
    max_values: MaxValues = MAX_VALUES,
    exclude: Sequence[str] = (),
    scaling: Scalings = None,
    hash_size: Mapping[str, int] | None = None,
    min_count: int = 1,
    null_values: Iterable[str] = NULL_VALUES,
    weights: RowWeights | None = None,
    split: Split = RANDOM,
) -> LogPlan:
    """Decides what becomes of each column.

    Args:
        sample: Rows of the log, all columns as they are.
        where: The log's first file, for messages.
        label: The column of labels.
        positive: This and the following as in `interhat_tf.prepare_click_log`: the
            value of a click.
        categorical: Columns that become categorical fields.
        numerical: Columns that become numerical fields.
        multivalued: Columns that become multivalued fields, and what stands between
            the values of their texts, `None` of columns of lists.
        sequence: Columns that become sequences, and the same.
        shares: The field whose vocabulary a sequence has, by the sequence.
        max_values: The most values of a row that are kept, of all fields or by field.
        exclude: Columns that are left out.
        scaling: The scale of all numerical fields, or of those that are named.
        hash_size: Number of names that a field's values share by a hash, by field.
        min_count: Training rows that a categorical value needs for an id.
        null_values: Words that stand for a missing value.
        weights: What the rows' weights follow from.
        split: How the rows are split. Defaults to at random.

    Raises:
        ValueError: If a column does not exist or is named twice, its form cannot
            be told, the labels are not two, no column is left, or there is no such scale.

    Example:

    >>> rows = pa.table({"click": [0, 1] * 60, "app": ["a", "b"] * 60, "id": range(120)})
    >>> plan = plan_log(rows, "log.parquet", "click")
    >>> plan.fields
    (Categorical(name='app', min_count=1, hash_size=None),)
    >>> plan.columns[2].note
    'one value a row'
    """
    hashed, shared = dict(hash_size or {}), dict(shares or {})
    several, ordered = dict(multivalued or {}), dict(sequence or {})
    check_separators("multivalued", several)
    check_separators("sequence", ordered)
    check_sharing(shared, ordered, {"hash_size": hashed})
    if categorical is None and numerical is None:  # of whose columns kinds are inferred
        lists = (c for c in hashed if c in sample.column_names and is_list(sample[c].type))
        several = dict.fromkeys(c for c in lists if c not in ordered) | several
    scaled = scaling if isinstance(scaling, Mapping) else {}
    chosen = {"scaling": list(scaled), "hash_size": list(hashed)}
    chosen |= {MULTIVALUED: list(several), SEQUENCE: list(ordered)}
    roles = _roles(label, weights)
    kinds = _asked_kinds(sample.column_names, roles, categorical, numerical, exclude, chosen)
    found = find_label_values(sample[label], label, positive)
    separators = {column: text for column, text in (several | ordered).items() if text}
    planner = ColumnPlanner(where, tuple(null_values), separators)
    if split.column is not None:
        _check_split(sample.column_names, label, kinds, split)
        split = split.look_at(sample)
        # Dates have hours and weekdays; other times are later than all that trained.
        if kinds.get(split.column, "named") is None and not _may_be_field(split, sample, planner):
            del kinds[split.column]
    plans = _plan_columns(sample, planner, kinds, shared)
    sources = {
        field: Source(column, form, separators.get(column))
        for column, plan in plans.items()
        for field, form in plan.forms.items()
    }
    _check(plans, sources, where)
    numbers = number_fields(scaling, [f for f, s in sources.items() if FORMS[s.form] is Numerical])
    check_hash_sizes(hashed, [field for field, s in sources.items() if s.form in OF_ANY_VALUE])
    lengths = lengths_of(max_values, [field for field, s in sources.items() if s.form in ELEMENTS])
    fields = tuple(
        numbers.get(field)
        or _field_of_names(field, source.form, (min_count, hashed.get(field)), lengths, shared)
        for field, source in sources.items()
    )
    plans |= _tell_choices(plans, fields)
    plans[label] = _plan_label(sample[label], found, weights)
    of_weights = weights.columns if weights else []
    plans |= {column: planner.plan_weight(sample[column], column) for column in of_weights}
    columns = tuple(
        plans.get(column) or ColumnPlan(column, LEFT_OUT, note=NOT_ASKED_FOR if column else NO_NAME)
        for column in sample.column_names
    )
    columns = _tell_split(columns, planner, sample, split)
    reading = Reading(sources, planner.null_values)
    return LogPlan(found, fields, reading, columns, len(sample), split, weights)


def follow_plan(
    sample: pa.Table,
    where: str,
    label: Label,
    fields: Sequence[RawField],
    reading: Reading,
    name: str,
    weights: RowWeights | None = None,
    split: Split = RANDOM,
) -> LogPlan:
    """Returns the plan of a log that is read as an earlier one was.

    Args:
        sample: Rows of the log, all columns as they are.
        where: The log's first file, for messages.
        label: The earlier log's label.
        fields: Its fields.
        reading: How its values were read.
        name: The set that was prepared from it.
        weights: What its rows' weights followed from.
        split: How the rows are split. Defaults to at random.

    Raises:
        ValueError: If a column that is read does not exist, or cannot be read so.
    """
    of_weights = weights.columns if weights else []
    for column in (label.column, *reading.columns, *of_weights):
        if column not in sample.column_names:
            raise DataError(
                f"{where}: there is no column {column!r}, which {name} was prepared from; "
                f"there are {', '.join(sample.column_names)}"
            )
    separators = {s.column: s.separator for s in reading.sources.values() if s.separator}
    planner = ColumnPlanner(where, reading.null_values, separators)
    forms: dict[str, dict[str, str]] = {}
    for field, source in reading.sources.items():
        forms.setdefault(source.column, {})[field] = source.form
    plans = {column: planner.follow(sample[column], column, forms[column]) for column in forms}
    plans |= _tell_choices(plans, fields)
    plans[label.column] = _plan_label(sample[label.column], label, weights)
    plans |= {column: planner.plan_weight(sample[column], column) for column in of_weights}
    columns = tuple(
        plans.get(column) or ColumnPlan(column, LEFT_OUT, note=f"not in {name}")
        for column in sample.column_names
    )
    if split.column is not None:
        _check_split(sample.column_names, label.column, {}, split)
        split = split.look_at(sample)
    columns = _tell_split(columns, planner, sample, split)
    return LogPlan(label, tuple(fields), reading, columns, len(sample), split, weights)


def _plan_columns(sample, planner, kinds, shared):
    """Returns the plans of columns; a sequence of another field's values is read as they are."""
    plans = {c: planner.plan(sample[c], c, kind) for c, kind in kinds.items() if c not in shared}
    forms = {field: form for plan in plans.values() for field, form in plan.forms.items()}
    owners = [field for field, form in forms.items() if form in OF_ANY_VALUE]
    for column, owner in shared.items():
        check_names(f"shares of {column!r}", [owner], owners, "field of text or whole numbers")
        element = ELEMENTS.get(forms[owner], forms[owner])
        plans[column] = planner.plan(sample[column], column, SEQUENCE, element)
    return {column: plans[column] for column in kinds}


def _field_of_names(name, form, of_vocabulary, lengths, shared):
    kind = FORMS[form]
    if kind is Sequential:
        return Sequential(name, *of_vocabulary, lengths[name], shared.get(name))
    if kind is Multivalued:
        return Multivalued(name, *of_vocabulary, lengths[name])
    return Categorical(name, *of_vocabulary)


def _roles(label, weights):
    """Returns what the columns are that cannot become fields."""
    columns = weights.columns if weights else []
    if label in columns:
        raise SettingError(f"column {label!r} is the label and cannot be the weight as well")
    return {label: "label", **dict.fromkeys(columns, "weight")}


def _tell_choices(plans, fields):
    """Returns the plans of those columns whose fields have a scale or a hash, which say so."""
    told = {}
    for field in fields:
        if (choice := describe_choice(field)) and field.name in plans:
            plan = plans[field.name]
            note = "; ".join(filter(None, (choice, plan.note)))
            told[field.name] = dataclasses.replace(plan, note=note)
            if isinstance(field, Categorical):  # a new value shares the name of others
                told[field.name] = dataclasses.replace(told[field.name], rare=None)
    return told


def _asked_kinds(columns, roles, categorical, numerical, exclude, chosen):
    """Returns the columns that may become fields and their kinds, `None` where none is named.

    Those that have a scale of their own are numerical, those that have a hash categorical.
    Those that are named as of several values are so whatever else is named.
    """
    several = [*chosen[MULTIVALUED], *chosen[SEQUENCE]]
    inferred = categorical is None and numerical is None
    if inferred:
        # A column without a name is as a rule the index that pandas wrote.
        candidates = [column for column in columns if column and column not in (*roles, *exclude)]
        for argument, of_columns in chosen.items():
            check_names(argument, of_columns, candidates, "column that becomes a field")
        numerical = chosen["scaling"]
        categorical = [column for column in chosen["hash_size"] if column not in several]
    categorical, numerical = categorical or (), numerical or ()
    named = [*categorical, *numerical, *several, *exclude]
    for column in [*roles, *named]:
        if column not in columns:
            raise SettingError(f"there is no column {column!r}; there are {', '.join(columns)}")
    for column in named:
        if column in roles:
            raise SettingError(
                f"column {column!r} is the {roles[column]} and cannot be a field as well"
            )
        if named.count(column) > 1:
            raise SettingError(f"column {column!r} is named twice; a field has one kind")
    kinds = dict.fromkeys(categorical, CATEGORICAL) | dict.fromkeys(numerical, NUMERICAL)
    kinds |= dict.fromkeys(chosen[MULTIVALUED], MULTIVALUED)
    kinds |= dict.fromkeys(chosen[SEQUENCE], SEQUENCE)
    if inferred:
        return {column: kinds.get(column) for column in candidates}
    if not kinds:
        raise SettingError("categorical and numerical are both empty; name a column")
    return kinds


def _check_split(columns, label, kinds, split):
    if split.column not in columns:
        raise SettingError(
            f"split is {str(split)!r}; there is no such column; there are {', '.join(columns)}"
        )
    if split.column == label:
        raise SettingError(f"split is {str(split)!r}, which is the label; name another column")
    if isinstance(split, ColumnSplit) and kinds.get(split.column):
        raise SettingError(f"column {split.column!r} is the split and cannot be a field as well")


def _may_be_field(split, sample, planner):
    if isinstance(split, TimeSplit):
        column = sample[split.column]
        return form_of(column, split.column, planner.null_values) == TIME_PARTS
    return not isinstance(split, ColumnSplit)


def _tell_split(columns, planner, sample, split):
    """Returns the plans of columns, of which that of the split's column says so."""
    return tuple(
        _with_split(plan, planner, sample, split) if plan.column == split.column else plan
        for plan in columns
    )


def _with_split(plan, planner, sample, split):
    """Says in the plan of a column that the rows are split by it."""
    if plan.kind == LEFT_OUT:
        looked_at = planner.plan(sample[plan.column], plan.column, CATEGORICAL)
        return dataclasses.replace(looked_at, kind=SPLIT, forms={}, rare=None, note=split.note)
    note = "; ".join(filter(None, (plan.note, split.note)))
    return dataclasses.replace(plan, note=note)


def _check(plans, sources, where):
    """Raises an error if a column cannot become a field, two become the same, or none does."""
    problems = [
        f"column {column!r} is {plan.note}"
        for column, plan in plans.items()
        if plan.kind == UNKNOWN
    ]
    if problems:
        raise DataError(
            f"{where}: {', '.join(problems)}, so that fields cannot be inferred; leave columns out "
            f"with exclude=, or name those to use with categorical= and numerical="
        )
    for column, plan in plans.items():
        for field in plan.forms:
            if field != column and field in plans:
                raise DataError(
                    f"{where}: column {column!r} becomes a field {field!r}, and so does the column "
                    f"of that name; leave one out with exclude="
                )
    if not sources:
        reasons = [f"{column!r} ({plan.note})" for column, plan in plans.items()]
        raise DataError(
            f"{where}: there is no column but the label"
            + (f" and those that are left out: {', '.join(reasons)}" if reasons else "")
        )


def _plan_label(column, label, weights):
    texts = plain_texts(as_text(column))
    values = [value for value in pc.unique(texts).to_pylist() if value]
    missing = pc.mean(pc.equal(texts, "")).as_py()
    note = f"{label.positive!r} is a click, {label.negative!r} none"
    if others := [value for value in values if value not in (label.positive, label.negative)]:
        note += f"; reading stops at {', '.join(map(repr, others[:3]))}"
    if weights and weights.negative_sampling_rate < 1:
        note += f", of which the log has {weights.negative_sampling_rate:.4g} of all"
    return ColumnPlan(label.column, LABEL, {}, len(values), missing, None, label.positive, note)
