"""What is to become of a column of a click log, decided from some of its rows."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError, SettingError
from interhat_tf.preprocessing.column_forms import (
    DAYS,
    FORMS,
    HOUR,
    IN_ORDER,
    NUMBER,
    TEXT,
    TEXTS,
    WEEKDAY,
    WHOLE,
    Source,
    read_source,
    value_type,
)
from interhat_tf.preprocessing.fields import (
    NUMBER_PATTERN,
    Categorical,
    Column,
    Multivalued,
    Numerical,
    Sequential,
    as_text,
    parse_numbers,
)
from interhat_tf.preprocessing.kinds import TIME_PARTS, form_of, is_text
from interhat_tf.preprocessing.times import TIME_PATTERN
from interhat_tf.preprocessing.value_lists import is_list, separator_of
from interhat_tf.schema import CATEGORICAL, MULTIVALUED, NUMERICAL, SEQUENCE

LABEL, WEIGHT, TIME, SPLIT = "label", "weight", "time", "split"
LEFT_OUT, UNKNOWN = "left out", "unknown"

MIN_ROWS = 100
"""Rows from which on a value of its own in each of them makes an id of the row."""

MOSTLY = 0.9
"""Share of numbers among the values of a text column from which on it is worth a word."""


KINDS_OF_FORMS = {
    Categorical: CATEGORICAL,
    Multivalued: MULTIVALUED,
    Sequential: SEQUENCE,
    Numerical: NUMERICAL,
}
SEVERAL = (MULTIVALUED, SEQUENCE)
"""The kinds of fields of several values, and the arguments that name them."""


@dataclasses.dataclass(frozen=True)
class ColumnPlan:
    """What becomes of a column; its figures are those of the rows that were looked at.

    Args:
        column: The column's name.
        kind: `"label"`, `"weight"`, `"categorical"`, `"multivalued"`, `"sequence"`,
            `"numerical"`, `"time"`, `"left out"`, or `"split"` of a column that does nothing but
            split the rows.
        forms: The form of each field that it becomes, by the field's name.
        values: Number of values, the missing one apart.
        missing: Share of the rows without a value.
        rare: Of a categorical field, the share of the rows whose value no other
            row has; of one of several values, of the values that are there once. About
            as many new records would have an unknown value (Good and Turing's estimate).
        example: A value.
        note: What else there is to say.
    """

    column: str
    kind: str
    forms: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: int = 0
    missing: float = 0.0
    rare: float | None = None
    example: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class ColumnPlanner:
    """Decides what becomes of a column.

    Args:
        where: The log's first file, for messages.
        null_values: Words that stand for a missing value.
        separators: What stands between two values, by the columns whose texts are several.
    """

    where: str
    null_values: tuple[str, ...]
    separators: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def plan(
        self, column: Column, name: str, kind: str | None, element: str | None = None
    ) -> ColumnPlan:
        """Returns the plan of a column.

        Args:
            column: The column.
            name: Its name.
            kind: What it becomes; `None` where nothing was said.
            element: The form of the values that a sequence is of; `None` if they are its own.
        """
        form = form_of(column, name, self.null_values)
        if kind in SEVERAL:
            form = TEXTS if name in self.separators else form
            if FORMS.get(form) is not Multivalued:
                raise SettingError(
                    f"{self.where}: column {name!r} has no lists of text or whole numbers; if its "
                    f"texts have several values, say what stands between them, as in "
                    f'{kind}={{"{name}": "|"}}'
                )
            return self._field(
                column, name, IN_ORDER[element or form] if kind == SEQUENCE else form
            )
        if kind == CATEGORICAL:
            if is_list(column.type):
                raise DataError(
                    f"{self.where}: column {name!r} has lists, {column.type}; name it in "
                    f"multivalued= if they are of text or whole numbers"
                )
            named = form if FORMS.get(form) is Categorical else TEXT
            return self._field(column, name, named)
        if kind == NUMERICAL:
            return self._field(column, name, DAYS if _holds_dates(column, form) else NUMBER)
        if form == TIME_PARTS:
            return self._time(column, name)
        if form not in FORMS:
            return ColumnPlan(name, UNKNOWN, note=form)
        plan = self._field(column, name, form)
        reason = _reason_to_leave_out(plan, form, len(column))
        return dataclasses.replace(plan, kind=LEFT_OUT, forms={}, note=reason) if reason else plan

    def follow(self, column: Column, name: str, forms: Mapping[str, str]) -> ColumnPlan:
        """Returns the plan of a column whose forms were decided for an earlier log, by field."""
        plan = self._field(column, name, next(iter(forms.values())))
        if list(forms) == [name]:
            return plan
        return dataclasses.replace(
            plan, kind=TIME, forms=dict(forms), rare=None, note=f"as {', '.join(forms)}"
        )

    def plan_weight(self, column: Column, name: str) -> ColumnPlan:
        """Returns the plan of a column of weights."""
        plan = self._field(column, name, NUMBER)
        return dataclasses.replace(plan, kind=WEIGHT, forms={}, note="how much each row counts")

    def _field(self, column, name, form):
        source = Source(name, form, self.separators.get(name))
        values, _ = read_source(column, source, self.null_values, self.where)
        counts, missing = _count(values)
        kind, rare = KINDS_OF_FORMS[FORMS[form]], None
        if kind != NUMERICAL:
            of_all = np.asarray(counts["counts"])
            rows = of_all.sum() if kind in SEVERAL else len(column)
            rare = np.count_nonzero(of_all == 1) / max(rows, 1)
        if kind in SEVERAL:
            note = _note_of_lists(values, source.separator)
        else:
            note = _note(column, form, self.null_values)
        forms = {name: form}
        return ColumnPlan(name, kind, forms, len(counts), missing, rare, _example(values), note)

    def _time(self, column, name):
        """Plans a field for the hour and the day of the week, where they differ."""
        forms = {}
        for part in (HOUR, WEEKDAY):
            source = Source(name, part)
            values, _ = read_source(column, source, self.null_values, self.where)
            counts, missing = _count(values)
            if len(counts) > 1:
                forms[f"{name}_{part}"] = part
        values = as_text(column)
        note = f"as {', '.join(forms)}" if forms else "always in one hour of one weekday"
        kind = TIME if forms else LEFT_OUT
        different = len(pc.unique(values))
        return ColumnPlan(name, kind, forms, different, missing, None, _example(values), note)


def _holds_dates(column, form):
    """Returns whether a column holds dates rather than numbers, a wrong one among them or not."""
    if form == TIME_PARTS:
        return not parse_numbers(column)[1].all()
    if not is_text(value_type(column)):
        return False
    text = pc.utf8_trim_whitespace(as_text(column))
    dates, numbers = (
        pc.match_substring_regex(text, what) for what in (TIME_PATTERN, NUMBER_PATTERN)
    )
    return pc.sum(dates).as_py() > pc.sum(numbers).as_py()


def _count(values):
    """Returns a table of `values` and `counts` without the missing, and the missing ones' share."""
    if is_list(values.type):  # a row without a value has the missing one, or of a sequence none
        counted, missing_values = _count(pc.list_flatten(values))
        lengths = np.asarray(pc.list_value_length(values))
        without = missing_values * lengths.sum() + np.count_nonzero(lengths == 0)
        return counted, without / max(len(lengths), 1)
    missing = pc.is_null(values) if not is_text(values.type) else pc.equal(values, "")
    counted = pc.value_counts(values.filter(pc.invert(missing)))
    table = pa.table({"values": counted.field("values"), "counts": counted.field("counts")})
    return table, pc.mean(missing).as_py() or 0.0


def _reason_to_leave_out(plan, form, rows):
    if plan.values == 0:
        return "empty"
    if plan.kind == MULTIVALUED:
        return ""
    if plan.values == 1 and plan.missing == 0:
        return f"always {plan.example}"
    present = round(rows * (1 - plan.missing))
    if form in (TEXT, WHOLE) and MIN_ROWS <= present == plan.values:
        return "one value a row"
    return ""


def _note(column, form, null_values):
    """Says which words were taken for a missing value, or are all that is not a number."""
    if not is_text(value_type(column)):
        return ""
    values = pc.unique(as_text(column))
    if form != TEXT:
        words = values.filter(pc.is_in(values, pa.array(null_values, pa.string())))
        return f"missing: {_shown(words)}" if len(words) else ""
    numbers = pc.match_substring_regex(values, NUMBER_PATTERN)
    if separator := separator_of(values):
        return f"several values with {separator!r} between them? Then multivalued= splits them"
    known = pc.is_in(values, pa.array([*null_values, ""], pa.string()))
    others = values.filter(pc.invert(pc.or_(numbers, known)))
    if len(others) and pc.mean(numbers).as_py() > MOSTLY:
        return f"numbers but for {_shown(others)}; null_values= with these too makes them missing"
    return ""


def _note_of_lists(lists, separator):
    """Says how many values rows have, and what stands between them."""
    lengths = pc.list_value_length(lists)
    most, mean = pc.max(lengths).as_py() or 0, pc.mean(lengths).as_py() or 0.0
    note = f"{mean:.1f} values a row, {most} at most"
    return f"{note}; {separator!r} between them" if separator else note


def _shown(values):
    return ", ".join(map(repr, values[:3].to_pylist())) + ", …" * (len(values) > 3)


def _example(values):
    if is_list(values.type):
        rows = (", ".join(row) for row in values[:MIN_ROWS].to_pylist())
        return next(filter(None, rows), "")
    text = as_text(values)
    present = text.filter(pc.not_equal(text, ""))
    return present[0].as_py() if len(present) else ""
