"""The files that entries damage: logs, original files of public sets, a prepared set, a run."""

import functools
import gzip
import json
import pathlib
import shutil

import keras
import pyarrow as pa
import pyarrow.parquet as pq

from data.avazu import avazu_dataset_builder_test as avazu
from data.criteo import criteo_dataset_builder_test as criteo
from data.frappe import frappe_dataset_builder_test as frappe
from data.movielens_ctr import movielens_ctr_dataset_builder_test as movielens
from data.taobao_ads import taobao_ads_dataset_builder_test as taobao
from interhat_tf import InterHAt, TrainingSettings, prepare_click_log, train

NAMES = ["click", "user", "city", "price", "when", "fold"]
OPTIONS = {"categorical": ["user", "city"], "numerical": ["price", "when"]}
SIZES = {"embedding_dim": 4, "num_heads": 1, "attention_size": 2, "order": 2}
SETTINGS = {"batch_size": 64, "max_epochs": 1, "checkpoint_minutes": 0.0}


def rows(number):
    """The rows of a log, which nothing is wrong with."""
    return [
        {
            "click": row % 3 % 2,
            "user": f"u{row % 7}",
            "city": ["Zürich", "Rome", "Ostia"][row // 2 % 3],
            "price": row / 4,
            "when": f"2024-01-{1 + row % 20:02} 10:00:00",
            "fold": ["train", "validation", "test"][row % 3],
        }
        for row in range(number)
    ]


def csv_text(rows):
    lines = [",".join(map(str, row.values())) for row in rows]
    return "\n".join([",".join(NAMES), *lines]) + "\n"


def make_model(schema, **arguments):
    keras.utils.set_random_seed(0)
    return InterHAt(schema, **{**SIZES, **arguments})


def write_logs(folder):
    """Writes the same log in all formats, and as a folder of two parts."""
    folder.mkdir()
    good = rows(120)
    (folder / "clicks.csv").write_text(csv_text(good))
    (folder / "clicks.csv.gz").write_bytes(gzip.compress(csv_text(good).encode(), mtime=0))
    (folder / "clicks.jsonl").write_text("\n".join(map(json.dumps, good)) + "\n")
    pq.write_table(pa.Table.from_pylist(good), folder / "clicks.parquet", row_group_size=50)
    parts = folder.parent / "parts"
    parts.mkdir()
    for i in range(2):
        (parts / f"{i}.csv").write_text(csv_text(good[60 * i : 60 * (i + 1)]))


def write_public_files(folder):
    """Writes the original files of the public sets, a few hundred rows of each."""
    for name in ("criteo", "avazu", "frappe", "usage"):
        (folder / name).mkdir()
    (folder / "criteo/train.txt").write_text(criteo.text(criteo.log_rows()[:200]))
    avazu.write_log(folder / "avazu/train.csv", avazu.log_rows()[:200])
    for seed, (name, number) in enumerate(zip(frappe.NFM_FILES, [300, 40, 50], strict=True)):
        lines = frappe.nfm_lines(number, seed)
        (folder / "frappe" / name).write_text("\n".join(lines) + "\n")
    frappe.write_index_map(folder / "frappe")
    frappe.write_log(folder / "usage", frappe.log_rows())
    movielens.write_movielens(folder / "movielens")
    taobao.write_taobao(folder / "taobao")


@functools.cache
def write_start(folder: pathlib.Path):
    """Writes all files; returns the prepared set `clicks`, and the model of the run on it."""
    write_logs(folder / "log")
    write_public_files(folder)
    log = folder / "log/more.csv"
    log.write_text(csv_text(rows(600)))
    data = prepare_click_log(log, name="clicks", data_dir=folder / "prepared", **OPTIONS)
    model = make_model(data.schema)
    train(model, data, folder / "run", TrainingSettings(**SETTINGS), test=False)
    (folder / "stopped").mkdir()  # the same run, killed before its end
    for name in ("config.json", "checkpoint.npz"):
        shutil.copy(folder / "run" / name, folder / "stopped")
    return data, model
