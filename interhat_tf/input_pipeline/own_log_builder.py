"""The tfds builder of a click log of a user's own."""

import codecs
import dataclasses
import functools
import os
import warnings
from collections.abc import Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.set_files import open_builder
from interhat_tf.preprocessing.ancestor import Ancestor
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.field_choices import DEFAULT_SCALING
from interhat_tf.preprocessing.field_values import read_fields
from interhat_tf.preprocessing.fields import (
    Categorical,
    Numerical,
    RawField,
    first_description,
)
from interhat_tf.preprocessing.log_formats import Log
from interhat_tf.preprocessing.log_parts import have_changed
from interhat_tf.preprocessing.log_plan import LogPlan
from interhat_tf.preprocessing.plan_report import write_plan
from interhat_tf.preprocessing.rows import Rows
from interhat_tf.preprocessing.scaling import MinMax
from interhat_tf.preprocessing.splits import ColumnSplit, split_of
from interhat_tf.preprocessing.table_log import TableLog
from interhat_tf.preprocessing.text_log import TextLog

LEAST, MOST = 0.05, 0.2
"""Shares of the rows, of validation and of test, between which nothing is said."""

UNKNOWN_SHARE = 0.05
"""Share of the values that training takes for unknown."""


class OwnLogBuilder(ClickLogBuilder, skip_registration=True):
    """The tfds builder of a log.

    Args:
        name: The set's name.
        log: The log.
        plan: What becomes of its columns, and how its rows are split.
        data_dir: Folder of the prepared sets.
        ancestor: The set that this one grows from. Defaults to `None`: there is none.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self,
        name: str,
        log: Log,
        plan: LogPlan,
        data_dir: str | os.PathLike,
        ancestor: Ancestor | None = None,
    ):
        self.name = name  # tfds has one for each class
        self.log, self.plan, self.ancestor = log, plan, ancestor
        data_dir = os.path.expanduser(data_dir)  # as tfds does to read, but not to write
        super().__init__(data_dir=data_dir)
        # What tfds makes the builder from after it was sent to a cluster's worker.
        self._original_state = {
            "name": name,
            "log": log,
            "plan": plan,
            "data_dir": data_dir,
            "ancestor": ancestor,
        }

    @property
    def fields(self) -> Sequence[RawField]:
        """The fields that were named or inferred."""
        return self.plan.fields

    @property
    def weighted(self) -> bool:
        """Whether the rows have weights."""
        return self.plan.weights is not None

    @functools.cached_property
    def origin(self) -> dict[str, Any]:
        """What the prepared set depends on, as its metadata keeps it."""
        label = self.plan.label
        made_from = {
            "files": self.log.identity,
            "encoding": _encoding(self.log),
            "label": label.column,
            "label_values": [label.negative, label.positive],
            "fields": [first_description(field) for field in self.fields],
            "scaling": {f.name: f.scaling for f in self.fields if isinstance(f, Numerical)},
            "hash_size": {
                field.name: field.hash_size
                for field in self.fields
                if isinstance(field, Categorical) and field.hash_size
            },
            "split": str(self.plan.split),
            "grown_from": self.ancestor and self.ancestor.identity,
            "weights": self.plan.weights and dataclasses.asdict(self.plan.weights),
        }
        reading = self.plan.reading.to_dict()
        return {"made_from": made_from, "reading": reading, "unknown_share": UNKNOWN_SHARE}

    def check_origin(self) -> None:
        """Raises an error if the prepared set was made from something else."""
        metadata = open_builder(self.data_path).info.metadata
        unsaid = {"files": [], "grown_from": None, "weights": None, "hash_size": {}}
        found = {**unsaid, **metadata.get("made_from", {})}
        if "chronological" in found:
            found["split"] = split_of(found)
            del found["chronological"]
        if "reading" in metadata:
            found["reading"] = metadata["reading"]
        expected = {**self.origin["made_from"], "reading": self.origin["reading"]}
        known = metadata.get("parts", [])[-len(found["files"]) :]  # before them, the ancestor's
        if known and known[0]["digest"] and not isinstance(self.log, TableLog):
            # What files hold counts, not how they are called and how long they are.
            changed = not self.parts and have_changed(self.log.paths, known)
            found["files"] = None if changed else expected["files"]
        # A set of an earlier version says less: there was nothing to choose. Its scale opens
        # also where none is asked for.
        if "scaling" not in found:
            found["scaling"] = {
                name: scaling if scaling == DEFAULT_SCALING else MinMax.name
                for name, scaling in expected["scaling"].items()
            }
        differences = [key for key in expected if key in found and found[key] != expected[key]]
        if differences:
            raise SettingError(
                f"{self.data_path} holds a prepared set that differs in: "
                f"{', '.join(differences)}; give another name, or remove the folder"
            )

    def _shard_iterators_per_split(self, dl_manager):
        origin = self.origin  # the files' sizes before they are read
        iterators = super()._shard_iterators_per_split(dl_manager)
        self._warn_of_sizes()
        known = self.ancestor.parts if self.ancestor else ()
        self.info.metadata.update(origin, parts=[*known, *self.info.metadata["parts"]])
        write_plan(self.plan, epath.Path(self.data_path))
        return iterators

    def _files(self, folder):
        return [] if isinstance(self.log, TableLog) else self.log.paths

    def _fit(self, values, counts):
        if self.ancestor is None:
            return super()._fit(values, counts)
        encoding, growth = self.ancestor.grow(values)
        self.info.metadata["growth"] = growth.to_dict()
        return encoding

    def _chunks(self, dl_manager):
        split = self.plan.split.fit(self.log, self._runner, self._folder("times"))
        self.plan = dataclasses.replace(self.plan, split=split)
        self._original_state["plan"] = self.plan  # for a cluster's workers
        return self.log.chunks

    def _read_chunk(self, chunk: Any) -> Rows:
        split, weights = self.plan.split, self.plan.weights
        others = [self.plan.label.column, *([split.column] if split.column is not None else [])]
        numbers = weights.columns if weights else ()
        table = self.log.read(chunk, others, self.plan.reading, numbers)
        labels = self.plan.label.read(table[self.plan.label.column], chunk)
        return Rows(
            read_fields(table, self.plan.reading, chunk),
            labels,
            split.of_rows(table, chunk),
            chunk.path,
            chunk.first_line,
            chunk.first_row,
            weights.read(table, labels, chunk) if weights else None,
        )

    def _warn_of_sizes(self):
        """Warns if groups, or ties of times, make the splits far from 8:1:1."""
        if self.plan.split.column is None or isinstance(self.plan.split, ColumnSplit):
            return
        splits = self.info.metadata["statistics"]["splits"]
        rows = sum(split["rows"] for split in splits.values())
        shares = {name: split["rows"] / rows for name, split in splits.items()}
        if not all(LEAST <= shares[name] <= MOST for name in ("validation", "test")):
            told = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
            warnings.warn(
                f"{self.name}: the rows of one value of {self.plan.split.column!r} stay together, "
                f"so that the splits are not 8:1:1 but {told}",
                stacklevel=2,
            )


def _encoding(log: Log) -> str | None:
    """Returns the encoding of a log's text, by the one name of several; `None` if it has none."""
    return codecs.lookup(log.encoding or "utf-8").name if isinstance(log, TextLog) else None
