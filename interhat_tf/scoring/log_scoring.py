"""Scores a log chunk by chunk: a file, a folder or a table in, the same rows and more out."""

import concurrent.futures
import functools
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from interhat_tf.calibration import model_probability
from interhat_tf.errors import DataError, SettingError
from interhat_tf.explanation.batches import in_batches, predict
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.click_log import LogData
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.input_pipeline.raw_values import names_with_ids, unknown_parts, warn_of_unknown
from interhat_tf.preprocessing.column_forms import (
    NUMBER,
    TEXT,
    Reading,
    Source,
    value_type,
)
from interhat_tf.preprocessing.encoding import encode_values
from interhat_tf.preprocessing.field_values import read_fields
from interhat_tf.preprocessing.log_formats import Log, find_log
from interhat_tf.preprocessing.rows import FileChunk
from interhat_tf.preprocessing.text_log import TextLog
from interhat_tf.scoring.parts import Parts
from interhat_tf.scoring.reasons import Reasons
from interhat_tf.training.run_folder import architecture
from interhat_tf.utils.limits import check_limits

if TYPE_CHECKING:
    from interhat_tf.models import ClickModel

PROBABILITY, UNKNOWN = "probability", "unknown_share"
BACKGROUND = 32
"""Training records that exact effects are against, unless told otherwise."""


def score(
    model: "ClickModel",
    data: PreparedDataset,
    log: LogData,
    output: str | os.PathLike,
    *,
    reasons: int = 3,
    background: int | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Writes a log's rows again, with what a model says of each.

    All columns of the log come first, as they are; its label need not be there. Then

    - `probability`: of a click, calibrated if the model is (`training.calibrate`);
    - `unknown_share`: which share of the row's categorical values no training row has;
    - `reason_1`, `effect_1`, … : the fields that move the logit most, as `app = maps`,
      and by how much, the largest |effect| first.

    The log is read in chunks of 32 MiB of text or 131,072 rows, so that memory is
    bounded. What is finished lies in the folder `.NAME.parts` beside the output until
    all is. The same call goes on there if it was killed, and writes the very
    file that an undisturbed one does; the output is complete or not there.

    Args:
        model: The model, of any kind.
        data: The `PreparedDataset` that it was trained on, which says how values are read.
        log: The log, as for `prepare_click_log`: a file, a folder, a list of them, or a
            table.
        output: The file to write, `.parquet` or `.csv`.
        reasons: Number of reasons of each row; 0 for none. Defaults to 3.
        background: Number of training records that exact effects are against, at the
            cost of one prediction for each of them and each field; 0 for the effects
            that the model estimates (`fit_effects`). Defaults to `None`: estimated
            ones if the model has them, exact ones against 32 records otherwise.
        delimiter: The character between two values of a text file; see
            `prepare_click_log`.
        encoding: The encoding of text files. Defaults to `None`: UTF-8.

    Returns:
        Dictionary of `rows`; `probability`, its mean; `unknown`, the share of unknown
        values by field; `calibration`, how probabilities were calibrated, or `None`;
        and `effects`, which effects the reasons have, or `None`.

    Raises:
        FileNotFoundError: If there is no such log.
        FileExistsError: If the output exists.
        ValueError: If the log lacks a column, or has one of the names above, or a row
            is wrong (the message names file and line), or the model is not of the
            data set, or the output's name has another ending, or its folder of
            parts is of another call or in use.

    Example:

        score(model, data, "ads.csv", "scored.parquet")["rows"]
    """
    output = pathlib.Path(output).expanduser().absolute()
    given = {"reasons": reasons, "background": background}
    check_limits(given, {"reasons": int, "background": int | None})
    data.check_model(model)
    opened = find_log(log, delimiter, encoding)
    _check_columns(opened, data)
    explain = _make_reasons(model, data, reasons, background)
    added = [PROBABILITY, UNKNOWN, *explain.columns] if explain else [PROBABILITY, UNKNOWN]
    for name in added:
        if name in opened.columns:
            raise DataError(f"{opened.paths[0]}: the log has a column {name!r}; rename it")
    job = {
        "log": [*opened.identity, *_times(opened)],
        "model": _digest_of_model(model),
        "data": _digest([data.encoding.to_dict(), data.reading.to_dict()]),
        "reasons": [reasons, background],
    }
    with Parts.open(output, job) as parts:
        for chunk, table, totals in _scored(model, data, opened, explain, parts.finished):
            parts.write(table, totals, chunk.path)
        if not parts.finished:
            raise DataError(f"{opened.paths[0]}: the log has no rows")
        totals = parts.finish()
    rows = totals["rows"]
    shares = [unknown / rows for unknown in totals["unknown"]]
    unknown = dict(zip(names_with_ids(data.schema), shares, strict=True))
    warn_of_unknown(unknown)
    return {
        "rows": rows,
        "probability": totals["probability"] / rows,
        "unknown": unknown,
        "calibration": str(model.calibration) if model.calibration else None,
        "effects": explain.about if explain else None,
    }


def _check_columns(log: Log, data: PreparedDataset) -> None:
    missing = [source for source in data.reading.columns if source not in log.columns]
    if missing:
        raise DataError(
            f"{log.paths[0]}: the log has no column {missing[0]!r}; it has {', '.join(log.columns)}"
        )


def _make_reasons(
    model: "ClickModel", data: PreparedDataset, number: int, background: int | None
) -> Reasons | None:
    if not number:
        return None
    if background is None:
        background = 0 if model.effect_head else BACKGROUND
    if not background and not model.effect_head:
        raise SettingError("the model estimates no effects: call fit_effects, or give a background")
    compared = first_records(data, "train", background) if background else None
    return Reasons(model, number, compared)


def _scored(
    model: "ClickModel", data: PreparedDataset, log: Log, explain: Reasons | None, finished: int
) -> Iterator[tuple[FileChunk, pa.Table, dict[str, Any]]]:
    """Yields each chunk that is not finished, its scored rows and their totals."""
    total = sum(chunk.rows for chunk in log.chunks) if isinstance(log.chunks, list) else None
    with (
        tqdm(desc="Scoring", total=total, unit="row", unit_scale=True, disable=None) as progress,
        # While a chunk is predicted the next one is read.
        concurrent.futures.ThreadPoolExecutor(1) as reader,
    ):
        chunks = iter(log.chunks)
        for chunk in itertools.islice(chunks, finished):
            progress.update(chunk.rows)
        read = functools.partial(read_chunk, log, data)
        coming = [reader.submit(read, chunk) for chunk in itertools.islice(chunks, 1)]
        while coming:
            chunk, table, values, inputs = coming.pop().result()
            coming = [reader.submit(read, after) for after in itertools.islice(chunks, 1)]
            yield chunk, *_score_rows(model, explain, table, values, inputs, progress.update)


def read_chunk(
    log: Log, data: PreparedDataset, chunk: FileChunk
) -> tuple[FileChunk, pa.Table, pa.Table, dict[str, np.ndarray]]:
    """Returns a chunk, its rows as they are, the fields' values and the model's inputs."""
    first, *others = log.columns
    # A number of a text file stays as it is written.
    forms = {} if isinstance(log, TextLog) else data.reading.sources
    numbers = {source.column for source in forms.values() if source.form == NUMBER}
    whole = {name: Source(name, NUMBER if name in numbers else TEXT) for name in others}
    table = log.read(chunk, [first], Reading(whole))
    plain = [(name, value_type(table[name])) for name in table.column_names]
    table = table.cast(pa.schema(plain))
    values = read_fields(table, data.reading, chunk)
    encoded = encode_values(values, data.encoding)
    return chunk, table, values, {k: np.ascontiguousarray(v.T) for k, v in encoded.items()}


def _score_rows(
    model: "ClickModel",
    explain: Reasons | None,
    table: pa.Table,
    values: pa.Table,
    inputs: dict[str, np.ndarray],
    done: Callable[[int], Any],
) -> tuple[pa.Table, dict[str, Any]]:
    """Returns rows with their scores, and the totals; `done` hears of so many more rows."""
    if explain is None:
        logits, columns = predict(model, inputs), {}
        done(len(table))
    else:
        found, size = [], explain.batch_size
        for start, part in zip(range(0, len(table), size), in_batches(inputs, size), strict=True):
            found.append(explain.of(part, values.slice(start, size)))
            done(len(found[-1][0]))
        logits = np.concatenate([of_batch for of_batch, _ in found])
        columns = {
            name: pa.chunked_array([batch[name] for _, batch in found]) for name in explain.columns
        }
    p = model_probability(model, logits)
    unknown = unknown_parts(inputs, model.schema)  # (rows, C + V)
    added = {PROBABILITY: p, UNKNOWN: unknown.sum(axis=1) / max(unknown.shape[1], 1)}
    for name, numbers in added.items():
        table = table.append_column(name, pa.array(numbers.astype("float32")))
    for name, column in columns.items():
        table = table.append_column(name, column)
    counts = unknown.sum(axis=0).tolist()
    return table, {"rows": len(p), "probability": float(p.sum()), "unknown": counts}


def _digest_of_model(model: "ClickModel") -> str:
    """Returns what another model, or one with other weights, would not have."""
    calibration = model.calibration.to_dict() if model.calibration else None
    weights = [*model.weights, *(model.effect_head.weights if model.effect_head else [])]
    arrays = [np.ascontiguousarray(weight) for weight in weights]
    return _digest([architecture(model), calibration], arrays)


def _digest(config: Any, arrays: Iterable[np.ndarray] = ()) -> str:
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode())
    for array in arrays:
        digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()[:32]


def _times(log: Log) -> list[int]:
    """Returns when each file was changed last, which its size may not show; none of a table."""
    return [path.stat().st_mtime_ns for path in map(pathlib.Path, log.paths) if path.exists()]
