"""What is predicted for users that training rows do not have, against what they do.

    python -m experiments.robustness.new_users
    python -m experiments.robustness.new_users --movielens=FOLDER

Holds out half of the users of a log, prepares and trains on the others, `tuned`, with each
share of the training values taken for unknown, or with rare values unknown instead, and
predicts for the users that were held out. `--movielens` is the folder of MovieLens-1M, of
which a click is a rating of 4 or 5, and 40 of each user's are taken; without it the log is
generated. Writes `new_users/NAME/summary.json`. About a minute a run on one core.
"""

import pathlib
import tempfile
from typing import Any

import keras
import numpy as np
import pandas as pd
from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std
from interhat_tf import InterHAt, prepare_click_log, train
from interhat_tf.calibration import probability
from interhat_tf.datasets.movielens_ctr.raw_files import raw_files
from interhat_tf.training import TrainingSettings, metrics, predict_logits

MOVIELENS = flags.DEFINE_string("movielens", None, "folder of MovieLens-1M's .dat or .dat.gz")
USERS = flags.DEFINE_integer("users", 8000, "users of the generated log", lower_bound=20)

FORMS: dict[str, dict[str, Any]] = {
    "never": {"share": 0.0},
    "share 0.05": {"share": 0.05},
    "rarer than 4": {"share": 0.0, "min_count": 4},
}
"""What is unknown in training: a share of the values, or those of fewer rows than `min_count`."""
APPS = 60
# An epoch has a hundred steps, so that the weights' average is over a few of them. Attention is not
# aligned: predictions alone are compared.
TRAINING: dict[str, Any] = {
    "max_epochs": 10,
    "batch_size": 512,
    "criterion": "logloss",
    "effect_weight": 0.0,
}
RATINGS = 40


def main(_):
    path, seeds = MOVIELENS.value, list(SEEDS.value)
    found: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        log = read_movielens(pathlib.Path(path)) if path else generate(USERS.value, seed)
        for form, options in FORMS.items():
            for name, value in run(log, seed, **options).items():
                found.setdefault(form, {}).setdefault(name, []).append(value)
            print(seed, form, {name: f"{v[-1]:.4f}" for name, v in found[form].items()}, flush=True)
    summary = {
        form: {name: {**mean_and_std(values), "runs": values} for name, values in of_form.items()}
        for form, of_form in found.items()
    }
    name = "movielens" if path else "generated"
    write_result(f"new_users/{name}/summary.json", {**record(seeds=seeds), "forms": summary})


def run(log: pd.DataFrame, seed: int, share: float, min_count: int = 1) -> dict[str, float]:
    """Trains on half of the users; returns what is predicted for the others, and their rate.

    `auc`, `logloss` and `difference_of_known` are of the users that training rows have, on
    the test split.
    """
    keras.utils.set_random_seed(seed)
    users = log["user"].unique()
    chosen = np.random.default_rng(seed).permutation(users)[: len(users) // 2]
    known = log["user"].isin(chosen)
    with tempfile.TemporaryDirectory() as folder:
        data = prepare_click_log(log[known], name="log", data_dir=folder, min_count=min_count)
        model = InterHAt.from_preset("tuned", data.schema, rows=data.num_rows("train"))
        settings = TrainingSettings.of_model(model, unknown_share=share, seed=seed, **TRAINING)
        report = train(model, data, pathlib.Path(folder) / "run", settings)
        of_known = predict_logits(model, data, "test")
    others = log[~known]
    inputs = data.encode(others, max_unknown=1.0)
    logits = model.predict(inputs, batch_size=8192, verbose=0)[:, 0].astype("float64")
    labels = others["click"].to_numpy()
    predicted, rate = float(probability(logits).mean()), float(labels.mean())
    known_labels, known_logits = of_known
    return {
        "predicted": predicted,
        "rate": rate,
        "difference": predicted - rate,
        "difference_of_known": float(probability(known_logits).mean() - known_labels.mean()),
        "auc_of_new": metrics.auc(labels, logits),
        "logloss_of_new": metrics.logloss(labels, logits),
        "auc": report["test"]["auc"],
        "logloss": report["test"]["logloss"],
    }


def generate(users: int, seed: int) -> pd.DataFrame:
    """Draws a log in which clicks depend on user, app and hour."""
    random = np.random.default_rng([seed, 11])
    rows = random.integers(2, 15, users)
    user = np.repeat(np.arange(users), rows)
    app = (random.pareto(1.0, len(user)) * 4).astype(int) % APPS
    hour = random.integers(0, 24, len(user))
    logit = random.normal(0, 1.2, users)[user] + random.normal(0, 0.8, APPS)[app]
    logit += 0.4 * np.sin(hour / 24 * 2 * np.pi) + 0.3
    click = random.random(len(user)) < 1 / (1 + np.exp(-logit))
    order = random.permutation(len(user))
    columns = {"click": click.astype(int), "user": user, "app": app, "hour_of_day": hour}
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


def read_movielens(folder: pathlib.Path) -> pd.DataFrame:
    """Reads ratings of MovieLens-1M, `RATINGS` of each user, with what is known of the user."""
    options: dict[str, Any] = {"sep": "::", "engine": "python", "encoding": "latin-1"}
    paths = raw_files(folder)
    log = pd.read_csv(paths["ratings"], names=["user", "movie", "rating", "time"], **options)
    about = pd.read_csv(paths["users"], names=["user", "gender", "age", "job", "zip"], **options)
    log = log.sample(frac=1.0, random_state=0).groupby("user").head(RATINGS)
    log = log.merge(about.drop(columns="zip"), on="user").drop(columns="time")
    log["click"] = (log.pop("rating") >= 4).astype(int)
    return log.sample(frac=1.0, random_state=1).reset_index(drop=True)


if __name__ == "__main__":
    run_program(main, seeds=[0, 1, 2])
