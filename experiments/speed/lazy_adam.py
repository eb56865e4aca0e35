"""What the lazy Adam costs in quality: InterHAt trained with it and with the exact one.

    python -m experiments.speed.lazy_adam --dataset=frappe/nfm --raw_dir=FOLDER

Trains `released` with each optimizer and five seeds, without the penalty on the
embeddings, which would give every row of the table a gradient. Writes
`lazy_adam/NAME/summary.json`. Runs that are done are not run again.
"""

from experiments.common import studies
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.statistics import leads
from experiments.paper.sensitivity import PRESET
from interhat_tf.training.settings import OPTIMIZERS


def main(_):
    data = studies.open_data()
    settings = {"preset": PRESET, "embedding_l2": 0.0}
    runs = {name: studies.runs_of("interhat", **settings, optimizer=name) for name in OPTIMIZERS}
    rows = studies.train_rows(runs)
    differences = leads(rows, "lazy_adam")["adam"]
    summary = {"preset": PRESET, "optimizers": rows, "differences": differences}
    write_result(studies.summary_of("lazy_adam"), {**studies.study_record(data), **summary})


if __name__ == "__main__":
    run_program(main, required=["dataset"])
