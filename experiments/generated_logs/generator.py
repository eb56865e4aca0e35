"""Writes click logs in Criteo's and Avazu's format; `generate_click_log.py` is the program."""

import collections
import concurrent.futures
import os
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from experiments.generated_logs.fields import FORMATS, FOUR_DIGITS
from interhat_tf.utils.files import atomic_write, read_json, write_json

# Rows that are made at a time. The log depends on it: each block has its own random numbers.
BLOCK_ROWS = 16_384
# A term's product of levels is between -3 and 3.
PRODUCTS = np.arange(-3, 4)
# The ten days of Avazu's log.
HOURS = [f"1410{day}{hour:02d}" for day in range(21, 31) for hour in range(24)]


def generate(
    path: str | pathlib.Path,
    format: str,
    rows: int,
    seed: int = 0,
    workers: int = 2,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes a click log and, beside it, the truth about its clicks.

    Args:
        path: The log; a name that ends in .gz or .zst is compressed. Its folder has to be there.
        format: "criteo", "avazu", or "criteo_numbers", a Criteo log whose clicks follow from the
            intervals that its numbers are in.
        rows: Number of rows, 1 or more.
        seed: Seed of the rows and of the clicks, 0 or more. The truth's terms do not depend on it.
        workers: Blocks of rows that are made at the same time.
        overwrite: Whether to replace a log that is there.

    Returns:
        The truth, as `path`.truth.json holds it: `format`, `rows`, `seed`, `click_rate`,
        `intercept`, and

        - `terms`: of each the `fields`, `strength`, `auc` on its own, and `levels`, for each field
          a dictionary from a value's text to its level. A row's logit is the intercept plus each
          term's strength times the product of its values' levels;
        - `cells`: for each combination of the terms' products in the log its `products`, `logit`,
          `rows` and `clicks`;
        - `best`: `auc` and `logloss` of the true probabilities against the log's own clicks.

    Raises:
        ValueError: If an argument is out of range, or the log has no click or nothing but clicks.
        FileNotFoundError: If the folder is not there.
        FileExistsError: If the log is there and `overwrite` is not set.
    """
    path = pathlib.Path(path)
    if format not in FORMATS:
        raise ValueError(f"format {format!r} is none of {', '.join(FORMATS)}")
    for name, value, least in (("rows", rows, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise ValueError(f"{name} has to be {least} or more, not {value}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(path.parent)!r} to write {path.name} to")
    if path.is_dir() or (path.exists() and not overwrite):
        raise FileExistsError(f"{str(path)!r} is there already")

    num_products = len(FORMATS[format].terms)
    cells = np.zeros((len(PRODUCTS) ** num_products, 2), np.int64)
    codec = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    with atomic_write(path) as file:
        with (
            # Closing the stream, which writes its end, closes the file that it writes to.
            pa.output_stream(open(os.dup(file.fileno()), "wb"), compression=codec) as stream,
            tqdm(total=rows, desc=path.name, unit="row", unit_scale=True, disable=None) as bar,
        ):
            stream.write(_header(format))
            for text, block_cells in _blocks(format, rows, seed, workers):
                stream.write(text)
                cells += block_cells
                bar.update(int(block_cells.sum()))
        truth = _truth(format, rows, seed, cells)
        # A log may lack its truth if the program is killed now, but never has another log's.
        _truth_path(path).unlink(missing_ok=True)
    write_json(_truth_path(path), truth)
    return truth


def generate_once(path: str | pathlib.Path, format: str, rows: int) -> dict[str, Any]:
    """Writes a click log unless it is there already, complete; its folder is made.

    Returns:
        The truth about it, as `generate` does.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return read_truth(path)
    except FileNotFoundError:
        return generate(path, format, rows, overwrite=True)


def read_truth(path: str | pathlib.Path) -> dict[str, Any]:
    """Returns the truth about the log at `path`, as `generate` did."""
    return read_json(_truth_path(path))


def _truth_path(path):
    path = pathlib.Path(path)
    return path.with_name(path.name + ".truth.json")


def _header(format):
    if FORMATS[format].layout == "criteo":
        return b""
    names = [column.name for column in FORMATS[format].columns]
    return (",".join(["id", "click", "hour", *names]) + "\n").encode()


def _blocks(format, rows, seed, workers):
    """Yields the text and the cells of block after block; workers + 2 are held at most."""
    starts = iter(range(0, rows, BLOCK_ROWS))
    pending = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        while True:
            while len(pending) < workers + 2 and (start := next(starts, None)) is not None:
                pending.append(pool.submit(_block, format, rows, seed, start))
            if not pending:
                return
            yield pending.popleft().result()


def _block(format, rows, seed, start):
    """Returns the text of the rows from number `start` on, and their counts, (cells, 2).

    The counts are those of rows without and with a click for each combination of the products.
    """
    chosen = FORMATS[format]
    count = min(BLOCK_ROWS, rows - start)
    rng = np.random.default_rng([seed, start // BLOCK_ROWS])
    texts, levels = {}, {}
    for column in chosen.columns:
        numbers = column.draw(rng.random(count), chosen.num_values[column.name])
        texts[column.name] = column.texts(numbers)
        if column.name in chosen.levels:
            levels[column.name] = chosen.levels[column.name][numbers]
    cell = np.zeros(count, np.int64)
    for term in chosen.terms:
        product = np.prod([levels[name] for name in term.fields], axis=0)
        cell = cell * len(PRODUCTS) + (product - PRODUCTS[0])
    clicks = rng.random(count) < _probability(_cell_logits(chosen))[cell]
    click_texts = np.where(clicks, b"1", b"0")
    if chosen.layout == "criteo":
        text = _lines([click_texts, *texts.values()], b"\t")
    else:
        row = np.arange(start, start + count, dtype=np.uint64)
        hours = np.array(HOURS, "S8")[(row * np.uint64(len(HOURS)) // np.uint64(rows)).astype(int)]
        text = _lines([_ids(row, seed), click_texts, hours, *texts.values()], b",")
    counts = np.bincount(cell * 2 + clicks, minlength=2 * len(PRODUCTS) ** len(chosen.terms))
    return text, counts.reshape(-1, 2)


def _lines(columns, separator):
    """Joins columns of texts, padded with NUL bytes, to lines."""
    separators = [separator] * (len(columns) - 1) + [b"\n"]
    dtype = [
        field
        for i, column in enumerate(columns)
        for field in ((f"text_{i}", column.dtype), (f"end_{i}", "S1"))
    ]
    table = np.empty(len(columns[0]), dtype)
    for i, column in enumerate(columns):
        table[f"text_{i}"] = column
        table[f"end_{i}"] = separators[i]
    padded = table.view(np.uint8)
    return padded[padded != 0].tobytes()


def _ids(row, seed):
    """Returns a different number of 20 digits for each row."""
    # Steps that can be undone within 62 bits: an added number, an odd factor, a shifted copy.
    mask = np.uint64(2**62 - 1)
    ids = (row + np.random.default_rng(seed).integers(2**62, dtype=np.uint64)) & mask
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        ids = (ids * np.uint64(factor)) & mask
        ids ^= ids >> np.uint64(31)
    ids += np.uint64(10**19)
    digits = np.empty((len(row), 5), np.uint32)
    for i in reversed(range(5)):
        ids, four = np.divmod(ids, np.uint64(10_000))
        digits[:, i] = FOUR_DIGITS[four]
    return digits.view("S20").ravel()


def _cell_products(chosen):
    """Returns the terms' products in each cell: (cells, terms)."""
    grid = np.meshgrid(*[PRODUCTS] * len(chosen.terms), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, len(chosen.terms))


def _cell_logits(chosen):
    strengths = np.array([term.strength for term in chosen.terms])
    # Cells of the same logit are ties of the AUC, whatever the sums' last bits.
    return np.round(chosen.intercept + _cell_products(chosen) @ strengths, 12)


def _probability(logits):
    return 1 / (1 + np.exp(-logits))


def _truth(format, rows, seed, cells):
    chosen = FORMATS[format]
    products = _cell_products(chosen)
    logits = _cell_logits(chosen)
    clicks = int(cells[:, 1].sum())
    if clicks in (0, rows):
        raise ValueError(f"{rows} rows with {clicks} clicks have no AUC; write more rows")
    probability = _probability(logits)
    likelihood = cells[:, 1] @ np.log(probability) + cells[:, 0] @ np.log1p(-probability)
    return {
        "format": format,
        "rows": rows,
        "seed": seed,
        "click_rate": clicks / rows,
        "best": {"auc": _auc(logits, cells), "logloss": -float(likelihood) / rows},
        "intercept": chosen.intercept,
        "terms": [
            {
                "fields": list(term.fields),
                "strength": term.strength,
                "auc": _auc(products[:, i], cells),
                "levels": {name: _levels_by_text(chosen, name) for name in term.fields},
            }
            for i, term in enumerate(chosen.terms)
        ],
        "cells": [
            {
                "products": products[i].tolist(),
                "logit": float(logits[i]),
                "rows": int(cells[i].sum()),
                "clicks": int(cells[i, 1]),
            }
            for i in np.flatnonzero(cells.sum(axis=1))
        ],
    }


def _levels_by_text(chosen, name):
    column = chosen.column(name)
    numbers = np.arange(-len(column.special), chosen.num_values[name])
    texts = (text.decode().replace("\0", "") for text in column.texts(numbers))
    return dict(zip(texts, chosen.levels[name][numbers].tolist(), strict=True))


def _auc(scores, cells):
    """Returns the exact AUC of cells of rows, (cells, 2), without and with a click."""
    _, group = np.unique(scores, return_inverse=True)
    without, clicks = (np.bincount(group, cells[:, i]) for i in (0, 1))
    # A click's rows of lower score count whole, those of the same score half.
    below = np.cumsum(without) - without / 2
    return float(clicks @ below / (clicks.sum() * without.sum()))
