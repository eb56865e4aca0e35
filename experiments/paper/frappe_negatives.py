"""Frappe with other train negatives: how much of the figures is due to the draw of the negatives.

    python -m experiments.paper.frappe_negatives --raw_dir=FOLDER

The NFM files' negatives pair a usage's user and context with apps that the user
never used. Where the train file's negatives were drawn anew (validation and test
being the originals), this says what that changes: it draws them again, several
times uniformly and once by popularity, trains the settings that
`experiments.paper.table_3` chose on each, and compares on the same test split.
Writes `experiments/results/negatives/frappe/summary.json`.
"""

import pathlib
import shutil

import numpy as np
from absl import flags

from experiments.common.data_flags import RAW_DIR
from experiments.common.model_flags import MODELS
from experiments.common.results import RESULTS_DIR
from experiments.common.run_flags import RUNS_DIR, SEEDS
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.common.studies import heading, open_data, results_folder, run_flags, train_all
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.rows import SPLITS
from interhat_tf.utils.files import atomic_write, read_json, write_json

DEFAULT_MODELS = ("fm", "deepfm")

DRAWS = flags.DEFINE_integer("draws", 3, "uniform draws of the negatives")

NFM_FILES = TRAIN, VALIDATION, TEST = [f"frappe.{split}.libfm" for split in SPLITS]


def main(_):
    settings = chosen_settings()
    data = open_data()
    raw = pathlib.Path(RAW_DIR.value)
    files = {name: read_libfm(raw / name) for name in NFM_FILES}
    draws = {"as given": None}
    draws |= {f"drawn anew, uniformly, {i + 1}": (i, False) for i in range(DRAWS.value)}
    draws["drawn anew, by popularity"] = (0, True)
    apps, runs = {}, {}
    for name, draw in draws.items():
        apps[name] = negative_apps(files[TRAIN]) if draw is None else redraw(files, *draw)
        place = {} if draw is None else write_set(raw, files[TRAIN], apps[name], draw)
        for model, setting in settings.items():
            runs[name, model] = [
                run_flags(model, seed=seed, **setting, **place) for seed in SEEDS.value
            ]
    reports = train_all(runs)
    original = negative_apps(files[VALIDATION])
    apps["original test"] = negative_apps(files[TEST])
    summary = {
        **heading(data),
        "seeds": SEEDS.value,
        "rows": [
            {
                "negatives": name,
                "model": model,
                **{m: mean_and_std([r["test"][m] for r in found]) for m in ("auc", "logloss")},
            }
            for (name, model), found in reports.items()
        ],
        "distances": {name: distance(found, original) for name, found in apps.items()},
    }
    write_json(results_folder("negatives") / "summary.json", summary)
    for row in summary["rows"]:
        print(f"{row['negatives']}, {row['model']}: AUC {row['auc']['mean']:.4f}")


def chosen_settings():
    """Returns the setting of each model that won on validation in `experiments.paper.table_3`."""
    path = pathlib.Path(RESULTS_DIR.value) / "effectiveness/frappe/summary.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run experiments.paper.table_3 first")
    trials = read_json(path)["trials"]
    models = MODELS.value or DEFAULT_MODELS
    if missing := set(models) - set(trials):
        raise ValueError(f"{path} has no trials of {', '.join(sorted(missing))}")
    return {model: trials[model][0]["setting"] for model in models}


def read_libfm(path):
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


def negative_apps(rows):
    """Returns the apps of the rows that are no clicks."""
    return rows[rows[:, 0] != 1, 2]


def redraw(files, seed, by_popularity):
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


def write_set(raw, rows, apps, draw):
    """Prepares the set with other train negatives; returns the flag that names its folder."""
    seed, by_popularity = draw
    folder = pathlib.Path(RUNS_DIR.value) / f"negatives/{'popular' if by_popularity else seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in raw.iterdir():
        if path.name in (*NFM_FILES, "index_map.csv"):
            shutil.copyfile(path, folder / path.name)
    rows = rows.copy()
    rows[rows[:, 0] != 1, 2] = apps
    lines = [f"{row[0]} {' '.join(f'{index}:1' for index in row[1:])}\n" for row in rows.tolist()]
    with atomic_write(folder / TRAIN) as file:
        file.write("".join(lines).encode())
    data_dir = f"{folder}/prepared"
    prepared_dataset("frappe/nfm", data_dir, str(folder))
    return {"data_dir": data_dir}


def distance(apps, others):
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
