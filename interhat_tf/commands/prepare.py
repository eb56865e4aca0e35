"""Prepares a data set: a click log of your own, or a public one from its original files.

    interhat prepare --log=clicks.csv --dataset=my_clicks
    interhat prepare --log=tomorrow.csv --dataset=my_clicks_2 --grow=my_clicks
    interhat prepare --dataset=criteo/all_fields --raw_dir=FOLDER

Prints what it takes each column of a log for, and the set's statistics; with
`--dry_run` only the former. `interhat train` opens the set by its name, and
prepares a public one too, if need be.
"""

import json
from typing import Any

from absl import flags

from interhat_tf.commands.data_flags import define_data_flags, open_data
from interhat_tf.commands.flag_groups import group
from interhat_tf.commands.signature_flags import given
from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.input_pipeline.click_log import prepare_click_log

REQUIRED = ("dataset",)
LOG_FLAGS = (
    *("label", "positive", "categorical", "numerical", "exclude", "null_values"),
    *("weight", "negative_sampling_rate"),
    *("multivalued", "sequence", "shares", "max_values"),
    *("scaling", "min_count", "hash_size", "delimiter", "encoding", "split", "dry_run"),
    *("drop_after", "drop_below"),
)


class _Parts(flags.ListParser):
    """A list whose parts keep their blanks, one of which may be a separator."""

    def parse(self, argument: str | list[str]) -> list[str]:
        """Returns the parts."""
        return argument.split(",") if isinstance(argument, str) else argument


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_data_flags(values)
    flags.DEFINE_multi_string("log", None, "file or folder of a click log of your own", values)
    with group(values, "a log of your own"):
        _define_log_flags(values)
    with group(values, "a log that goes on from another"):
        _define_growth_flags(values)
    flags.DEFINE_list(
        "beam_pipeline_options", None, "prepare with Apache Beam and these NAME=VALUE", values
    )
    return values


def _define_log_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("label", None, "the log's column of labels; default: by its name", values)
    flags.DEFINE_string("positive", None, "the label's value that is a click", values)
    flags.DEFINE_list("categorical", None, "its categorical columns; default: inferred", values)
    flags.DEFINE_list("numerical", None, "its numerical columns; default: inferred", values)
    about = "COLUMN=SEPARATOR,…: columns of several values; COLUMN alone if they are lists"
    flags.DEFINE(_Parts(), "multivalued", None, about, values)
    about = "the same of columns whose values are in the order of time, the latest last"
    flags.DEFINE(_Parts(), "sequence", None, about, values)
    about = "COLUMN=FIELD,…: columns of --sequence that have another field's values"
    flags.DEFINE_list("shares", None, about, values)
    about = "values of such columns that are kept of a row; or COLUMN=NUMBER,…"
    flags.DEFINE_list("max_values", None, about, values)
    flags.DEFINE_list("exclude", None, "its columns that are left out", values)
    flags.DEFINE_list("null_values", None, "words for a missing value, but in text", values)
    about = "scale of its numbers: log, quantiles, min-max, buckets; or COLUMN=SCALE,…"
    flags.DEFINE_list("scaling", None, about, values)
    flags.DEFINE_string("weight", None, "its column of weights; default: none", values)
    flags.DEFINE_float(
        "negative_sampling_rate",
        None,
        "share of the rows without a click that it holds",
        flag_values=values,
    )
    flags.DEFINE_bool("dry_run", None, "only print what becomes of the log's columns", values)
    flags.DEFINE_integer(
        "min_count",
        None,
        "training rows that a value needs, or it is out of vocabulary",
        1,
        flag_values=values,
    )
    flags.DEFINE_list(
        "hash_size", None, "COLUMN=SIZE,…: names that its values share by a hash", values
    )
    flags.DEFINE_string("delimiter", None, "character between two values of a text log", values)
    flags.DEFINE_string("encoding", None, "encoding of a text log; default: UTF-8", values)
    flags.DEFINE_string(
        "split",
        None,
        "random, position, time:COLUMN, column:COLUMN or group:COLUMN",
        flag_values=values,
    )


def _define_growth_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "grow", None, "prepared set that the log is read like; its vocabularies grow", values
    )
    flags.DEFINE_integer(
        "drop_after",
        None,
        "with --grow: sets in a row without a value that drop it",
        1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "drop_below",
        None,
        "with --grow: rows of all sets that an old value needs to stay",
        1,
        flag_values=values,
    )


def main(values: flags.FlagValues) -> None:
    """Prepares the set and prints its statistics."""
    config: dict[str, Any] = {}
    if values.beam_pipeline_options:
        from apache_beam.options.pipeline_options import PipelineOptions

        options = [f"--{option}" for option in values.beam_pipeline_options]
        config["beam_options"] = PipelineOptions(options)
    about_log = given(values, LOG_FLAGS)
    if "scaling" in about_log:
        about_log["scaling"] = choice_by_column("scaling", about_log["scaling"])
    if "hash_size" in about_log:
        about_log["hash_size"] = sizes_by_column("hash_size", about_log["hash_size"])
    for flag in {"multivalued", "sequence"} & about_log.keys():
        about_log[flag] = separators_by_column(about_log[flag])
    if "shares" in about_log:
        about_log["shares"] = fields_by_column("shares", about_log["shares"])
    if "max_values" in about_log:
        about_log["max_values"] = max_values(about_log["max_values"])
    if values.grow:
        about_log["grow"] = prepared_dataset(values.grow, values.data_dir)
    if values.log:
        data = prepare_click_log(
            values.log, name=values.dataset, data_dir=values.data_dir, **about_log, **config
        )
        if data is None:  # after a dry run
            return
    elif about_log:
        raise SettingError(
            f"--{next(iter(about_log))} is about a log of your own: --log=FILE is missing"
        )
    else:
        data = open_data(values, **config)
    print(json.dumps(data.statistics, indent=2))


def choice_by_column(flag: str, parts: list[str]) -> str | dict[str, str]:
    """Returns what a flag chooses: one thing for all columns, or one for each that it names.

    Args:
        flag: The flag, for messages.
        parts: What stands between its commas.

    Raises:
        ValueError: If only some of the parts name a column.

    Example:

    >>> choice_by_column("scaling", ["price=log", "age=buckets"])
    {'price': 'log', 'age': 'buckets'}
    """
    if len(parts) == 1 and "=" not in parts[0]:
        return parts[0]
    pairs = [part.rpartition("=") for part in parts]
    if wrong := [value for column, _, value in pairs if not column]:
        raise SettingError(f"--{flag}: {wrong[0]!r} has no column; write COLUMN={wrong[0]}")
    return {column: value for column, _, value in pairs}


def separators_by_column(parts: list[str]) -> dict[str, str | None]:
    """Returns what a flag says stands between two values of each column, if anything.

    A comma, which is between the flag's own parts, is written `COLUMN=,` as well.

    Args:
        parts: What stands between the flag's commas.

    Example:

    >>> separators_by_column(["genres=|", "tags", "cast=", "", "codes=; "])
    {'genres': '|', 'tags': None, 'cast': ',', 'codes': '; '}
    """
    separators: dict[str, str | None] = {}
    for part in filter(None, parts):
        column, has_separator, separator = part.partition("=")
        separators[column.strip()] = (separator or ",") if has_separator else None
    return separators


def fields_by_column(flag: str, parts: list[str]) -> dict[str, str]:
    """Returns the field that a flag gives each column that it names.

    Args:
        flag: The flag, for messages.
        parts: What stands between its commas.

    Raises:
        ValueError: If a part names no column, or no field.

    Example:

    >>> fields_by_column("shares", ["history=movie"])
    {'history': 'movie'}
    """
    pairs = [part.partition("=") for part in parts]
    for part, (column, _, field) in zip(parts, pairs, strict=True):
        if not column or not field:
            raise SettingError(f"--{flag}: {part!r} is not COLUMN=FIELD, as in history=movie")
    return {column: field for column, _, field in pairs}


def max_values(parts: list[str]) -> int | dict[str, int]:
    """Returns how many values `--max_values` keeps, of all columns or of those that it names.

    Args:
        parts: What stands between its commas.

    Raises:
        ValueError: If a part has no whole number.

    Example:

    >>> max_values(["8"]), max_values(["history=50", "genres=6"])
    (8, {'history': 50, 'genres': 6})
    """
    if len(parts) == 1 and parts[0].isdecimal():
        return int(parts[0])
    return sizes_by_column("max_values", parts)


def sizes_by_column(flag: str, parts: list[str]) -> dict[str, int]:
    """Returns the whole number that a flag gives each column that it names.

    Args:
        flag: The flag, for messages.
        parts: What stands between its commas.

    Raises:
        ValueError: If a part names no column, or has no whole number.

    Example:

    >>> sizes_by_column("hash_size", ["user=100_000", "site=5000"])
    {'user': 100000, 'site': 5000}
    """
    sizes = {}
    for part in parts:
        column, _, size = part.rpartition("=")
        if not column or not size.replace("_", "").isdecimal():
            raise SettingError(f"--{flag}: {part!r} is not COLUMN=SIZE, as in user=100000")
        sizes[column] = int(size)
    return sizes
