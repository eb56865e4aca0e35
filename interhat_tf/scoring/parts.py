"""The parts of a scored log: finished ones stay if the work is killed, and become one file."""

import contextlib
import fcntl
import functools
import io
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from interhat_tf.errors import DamagedFileError, DataError, SettingError
from interhat_tf.preprocessing.kinds import is_text
from interhat_tf.utils.files import atomic_write, read_json, write_json

SUFFIXES = (".parquet", ".csv")
TOTALS = b"totals"


class Parts:
    """A folder of finished parts, a file each, beside the output that they are for.

    Args:
        output: The output.
        folder: The folder.
    """

    def __init__(self, output: pathlib.Path, folder: pathlib.Path):
        self.output, self.folder = output, folder
        names = sorted(path.name for path in folder.glob("*.arrow"))
        self.finished = len(names)
        if names != [_name(number) for number in range(len(names))]:
            raise DamagedFileError(f"{folder} lacks a part; remove the folder and start again")

    @classmethod
    @contextlib.contextmanager
    def open(cls, output: pathlib.Path, job: Mapping[str, Any]) -> Iterator[Self]:
        """Opens the folder of an output's parts, and holds it until the block ends.

        Args:
            output: The output.
            job: What the output follows from, for JSON. Parts of another job are not
                taken up.

        Raises:
            FileExistsError: If the output exists.
            ValueError: If the output's name has no known ending, or parts are of
                another job, or another process is at work on them.
        """
        if output.suffix not in SUFFIXES:
            raise SettingError(f"{output}: the output is {' or '.join(SUFFIXES)}; rename it")
        folder = output.parent / f".{output.name}.parts"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SettingError(f"another process is writing {output}; wait for it") from None
            try:
                if output.exists():
                    shutil.rmtree(folder)  # what is left if its removal was cut off
                    raise FileExistsError(f"{output} exists; remove it, or choose another output")
                _check_job(folder, json.loads(json.dumps(job)))
                yield cls(output, folder)
            finally:
                if not any(folder.glob("*.arrow")):  # nothing to go on with
                    shutil.rmtree(folder, ignore_errors=True)

    def write(self, table: pa.Table, totals: Mapping[str, Any], source: str) -> None:
        """Writes the next part, which is complete or not there.

        Args:
            table: Its rows, which take the types of the first part's.
            totals: Sums over its rows, numbers or lists of them, to be added up.
            source: Where the rows are from, for messages.

        Raises:
            ValueError: If the rows are not of those types, or hold what the output cannot.
        """
        try:
            table = table.cast(self._schema) if self.finished else table
        except (pa.ArrowException, ValueError) as error:
            raise DataError(f"{source}: not of the types of the first rows ({error})") from error
        if self.output.suffix == ".csv":
            for field in table.schema:
                if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
                    raise DataError(
                        f"{source}: CSV cannot hold column {field.name!r}, {field.type}; "
                        f"write a .parquet file"
                    )
        table = table.replace_schema_metadata({TOTALS: json.dumps(totals)})
        with (
            atomic_write(self.folder / _name(self.finished)) as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table)
        self.finished += 1

    def read(self, number: int) -> pa.Table:
        """Returns a finished part."""
        with pa.memory_map(str(self.folder / _name(number))) as file:
            return pa.ipc.open_file(file).read_all()

    @functools.cached_property
    def _schema(self) -> pa.Schema:
        with pa.memory_map(str(self.folder / _name(0))) as file:
            return pa.ipc.open_file(file).schema.remove_metadata()

    def finish(self) -> dict[str, Any]:
        """Makes the output of the parts, removes them and returns their totals, added up."""
        totals: dict[str, Any] = {}
        whole = self.folder / "whole"  # here, so that a killed call leaves nothing elsewhere
        with atomic_write(whole) as file, _writer(self.output.suffix, file) as write:
            for number in range(self.finished):
                part = self.read(number)
                _add(totals, json.loads(part.schema.metadata[TOTALS]))
                write(part.replace_schema_metadata())
        os.replace(whole, self.output)
        shutil.rmtree(self.folder)
        return totals


def _name(number: int) -> str:
    return f"{number:06d}.arrow"


def _check_job(folder: pathlib.Path, job: Mapping[str, Any]) -> None:
    path = folder / "job.json"
    if not path.exists():
        write_json(path, job)
        return
    earlier = read_json(path)
    if changed := [key for key in job if earlier.get(key) != job[key]]:
        raise SettingError(
            f"{folder} holds parts of a call that differs in: {', '.join(changed)}; "
            f"remove the folder, or choose another output"
        )


def _add(totals: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, list):
            before = totals.get(name, [0] * len(value))
            totals[name] = [one + other for one, other in zip(before, value, strict=True)]
        else:
            totals[name] = totals.get(name, 0) + value


@contextlib.contextmanager
def _writer(suffix: str, file: IO[bytes]) -> Iterator[Any]:
    """Yields a function that writes a table behind those before it."""
    if suffix == ".csv":
        header = True

        def write_text(table: pa.Table) -> None:
            nonlocal header
            if header:
                names = pa.table({str(i): [name] for i, name in enumerate(table.column_names)})
                file.write(_csv_lines(names))
                header = False
            file.write(_csv_lines(table))

        yield write_text
        return
    with contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None

        def write_group(table: pa.Table) -> None:
            nonlocal writer
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, table.schema))
            writer.write_table(table, row_group_size=max(len(table), 1))

        yield write_group


def _csv_lines(table: pa.Table) -> bytes:
    """Returns rows as lines of text, in which quotes are where a value needs them alone."""
    with contextlib.suppress(pa.ArrowInvalid):  # if a value does
        lines = io.BytesIO()
        options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
        arrow_csv.write_csv(table, lines, options)
        return lines.getvalue()
    cells = [_csv_cells(column) for column in table.columns]
    joined = pc.binary_join_element_wise(
        *cells, ",", null_handling="replace", null_replacement=""
    ).to_pylist()
    return "".join(f"{line}\n" for line in joined).encode()


def _csv_cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = column.cast(pa.string())
    if not is_text(column.type):
        return text
    special = pc.match_substring_regex(text, r'[",\r\n]')
    if not pc.any(special).as_py():
        return text
    doubled = pc.replace_substring(text, '"', '""')
    quote = pa.scalar('"')
    return pc.if_else(special, pc.binary_join_element_wise(quote, doubled, quote, ""), text)
