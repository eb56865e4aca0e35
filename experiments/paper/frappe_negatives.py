"""Frappe with other train negatives: how much of the figures is due to the draw of the negatives.

    python -m experiments.paper.frappe_negatives --raw_dir=FOLDER

The NFM files' negatives pair a usage's user and context with apps that the user
never used. Where the train file's negatives were drawn again (validation and
test being the originals), this says what that changes: it draws them several
times uniformly and once by popularity, trains the settings that
`experiments.paper.table_3` chose on each, and compares on the same test split.
Writes `frappe_negatives/frappe/summary.json`.
"""

import pathlib
import shutil
from typing import Any

import numpy as np
from absl import flags

from experiments.common import studies
from experiments.common.flags import MODELS, RAW_DIR, RUNS_DIR
from experiments.common.results import result_path, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.table_3_files import chosen_setting, file_name
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.rows import SPLITS
from interhat_tf.utils.files import atomic_write

DEFAULT_MODELS = ("fm", "deepfm")
NFM_FILES = TRAIN, VALIDATION, TEST = [f"frappe.{split}.libfm" for split in SPLITS]

DRAWS = flags.DEFINE_integer("draws", 3, "uniform draws of the negatives")


def main(_):
    settings = chosen_settings()
    data = studies.open_data()
    raw = pathlib.Path(RAW_DIR.value)
    files = {name: read_libfm(raw / name) for name in NFM_FILES}
    draws: dict[str, tuple[int, bool] | None] = {"as given": None}
    draws |= {f"drawn again uniformly, {i + 1}": (i, False) for i in range(DRAWS.value)}
    draws["drawn again by popularity"] = (0, True)
    apps, runs = {}, {}
    for name, draw in draws.items():
        apps[name] = negative_apps(files[TRAIN]) if draw is None else redraw(files, *draw)
        prepared = {} if draw is None else write_set(raw, files[TRAIN], apps[name], draw)
        for model, setting in settings.items():
            runs[f"{name}: {model}"] = studies.runs_of(model, **setting, **prepared)
    rows = studies.train_rows(runs)
    original = negative_apps(files[VALIDATION])
    apps["original test"] = negative_apps(files[TEST])
    summary = {
        **studies.study_record(data),
        "seeds": SEEDS.value,
        "rows": [
            {
                "negatives": name,
                "model": model,
                **{metric: rows[f"{name}: {model}"]["test"][metric] for metric in studies.METRICS},
            }
            for name in draws
            for model in settings
        ],
        "distances": {name: distance(found, original) for name, found in apps.items()},
    }
    write_result(studies.summary_of("frappe_negatives"), summary)


def chosen_settings() -> dict[str, dict[str, Any]]:
    """Returns the setting of each model that won on validation in `experiments.paper.table_3`.

    Raises:
        FileNotFoundError: If neither `--results_dir` nor the published results have its row.
    """
    settings = {}
    for model in MODELS.value or DEFAULT_MODELS:
        settings[model] = chosen_setting("frappe", model)
        if settings[model] is None:
            path = result_path(file_name("frappe", model))
            raise FileNotFoundError(f"{path} is missing: run experiments.paper.table_3 first")
    return settings


def read_libfm(path: pathlib.Path) -> np.ndarray:
    """Returns the labels and indices of an NFM file, (rows, 11): label, user, item, ….

    Raises:
        FileNotFoundError: If there is no such file; it has to be uncompressed.
        ValueError: If a line has another number of values.
    """
    rows = []
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            values = line.replace(":1", "").split()
            if len(values) != 11:
                raise ValueError(f"{path}:{number}: expected 11 values, found {len(values)}")
            rows.append(values)
    return np.array(rows).astype(float).astype(int)


def negative_apps(rows: np.ndarray) -> np.ndarray:
    """Returns the apps of the rows that are no clicks."""
    return rows[rows[:, 0] != 1, 2]


def redraw(files: dict[str, np.ndarray], seed: int, by_popularity: bool) -> np.ndarray:
    """Returns an app that the user never used, in any split, for each negative of training.

    Raises:
        ValueError: If a user has used all apps.
    """
    rng = np.random.default_rng(seed)
    positives = np.concatenate([rows[rows[:, 0] == 1] for rows in files.values()])
    apps, counts = np.unique(positives[:, 2], return_counts=True)
    weights = counts / counts.sum() if by_popularity else None
    # A pair of a user and an app as one number.
    users = files[TRAIN][files[TRAIN][:, 0] != 1, 1]
    base = apps.max() + 1
    used = np.unique(positives[:, 1] * base + positives[:, 2])
    everything = np.bincount(used // base, minlength=users.max() + 1) == len(apps)
    if everything[users].any():
        raise ValueError(
            f"user {users[everything[users]][0]} has used all apps: no negative is left"
        )
    drawn = rng.choice(apps, len(users), p=weights)
    while (wrong := np.isin(users * base + drawn, used)).any():
        drawn[wrong] = rng.choice(apps, int(wrong.sum()), p=weights)
    return drawn


def write_set(
    raw: pathlib.Path, rows: np.ndarray, apps: np.ndarray, draw: tuple[int, bool]
) -> dict[str, str]:
    """Prepares the set with other train negatives; returns the flag that names its folder."""
    seed, by_popularity = draw
    folder = (
        pathlib.Path(RUNS_DIR.value) / f"frappe_negatives/{'popular' if by_popularity else seed}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    for path in raw.iterdir():
        if path.name in (*NFM_FILES, "index_map.csv"):
            shutil.copyfile(path, folder / path.name)
    rows = rows.copy()
    rows[rows[:, 0] != 1, 2] = apps
    with atomic_write(folder / TRAIN) as file:
        np.savetxt(file, rows, fmt="%d" + " %d:1" * 10)
    data_dir = f"{folder}/prepared"
    prepared_dataset("frappe/nfm", data_dir, str(folder))
    return {"data_dir": data_dir}


def distance(apps: np.ndarray, others: np.ndarray) -> float:
    """Returns the total variation distance of two samples of apps, between 0 and 1.

    Example:

    >>> distance(np.array([1, 1, 2, 2]), np.array([1, 1, 1, 1]))
    0.5
    """
    size = max(apps.max(), others.max()) + 1
    shares = [np.bincount(sample, minlength=size) / len(sample) for sample in (apps, others)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


if __name__ == "__main__":
    run_program(main, dataset="frappe/nfm")
