"""What the lazy Adam costs in quality: InterHAt trained with it and with the exact one.

    python -m experiments.speed.lazy_adam --dataset=frappe/nfm --raw_dir=FOLDER

Trains `released` with each optimizer and five seeds, without the penalty on the
embeddings, which would give every row of the table a gradient. Writes
`experiments/results/lazy/NAME/summary.json`. Runs that are done are not run
again.
"""

from experiments.common.run_flags import SEEDS
from experiments.common.running import run_program
from experiments.common.statistics import paired_difference
from experiments.common.studies import (
    heading,
    open_data,
    results_folder,
    run_flags,
    summarise,
    train_all,
)
from experiments.paper.sensitivity import PRESET
from interhat_tf.training.loop import OPTIMIZERS
from interhat_tf.utils.files import write_json


def main(_):
    data = open_data()
    runs = {
        optimizer: [
            run_flags("interhat", preset=PRESET, embedding_l2=0.0, optimizer=optimizer, seed=seed)
            for seed in SEEDS.value
        ]
        for optimizer in OPTIMIZERS
    }
    reports = train_all(runs)
    rows = {optimizer: summarise(of_optimizer) for optimizer, of_optimizer in reports.items()}
    differences = {
        metric: paired_difference(
            *([run["test"][metric] for run in rows[o]["runs"]] for o in ("lazy_adam", "adam"))
        )
        for metric in ("auc", "logloss")
    }
    summary = {**heading(data), "preset": PRESET, "optimizers": rows, "differences": differences}
    write_json(results_folder("lazy") / "summary.json", summary)
    for optimizer, row in rows.items():
        auc, logloss = row["test"]["auc"], row["test"]["logloss"]
        print(
            f"{optimizer}: AUC {auc['mean']:.4f} ± {auc['std']:.4f}, "
            f"logloss {logloss['mean']:.4f} ± {logloss['std']:.4f}"
        )


if __name__ == "__main__":
    run_program(main, required=["dataset"])
