"""A click log of any length in Criteo's or Avazu's format, whose best possible AUC is known.

    python -m experiments.generate_click_log --format=criteo --rows=13750000 --output=train.txt

The licences of the real logs forbid passing them on, and the logs are large; this is a stand-in
with which to try, test and time all that comes after a download. It is no substitute for their
results. It writes the log, as Kaggle's `train.txt` (criteo) or `train.csv` (avazu) has it,
compressed if the name ends in .gz or .zst, and beside it `train.txt.truth.json`: the terms of
orders 1 to 3 by which records click, with the level of each value, and the AUC and logloss of the
true probabilities on exactly these rows. No model can do better, except by chance.

The log depends on format, rows and seed alone (and on NumPy's arithmetic), not on --workers. It
appears under its name when it is complete. `experiments/generated_logs/fields.py` has the fields.
"""

import time

from absl import flags

from experiments.common.running import run_program
from experiments.generated_logs.fields import FORMATS
from experiments.generated_logs.generator import generate

FORMAT = flags.DEFINE_enum("format", None, list(FORMATS), "format of the log")
ROWS = flags.DEFINE_integer("rows", None, "rows of the log")
SEED = flags.DEFINE_integer("seed", 0, "seed of the rows and clicks, not of what makes them click")
OUTPUT = flags.DEFINE_string("output", None, "the log to write")
WORKERS = flags.DEFINE_integer("workers", 2, "blocks that are made at the same time")
OVERWRITE = flags.DEFINE_boolean("overwrite", False, "replace an output that is there")


def main(_):
    started = time.perf_counter()
    truth = generate(
        OUTPUT.value, FORMAT.value, ROWS.value, SEED.value, WORKERS.value, OVERWRITE.value
    )
    seconds = time.perf_counter() - started
    best = truth["best"]
    print(f"{OUTPUT.value}: {truth['rows']:,} rows, click rate {truth['click_rate']:.4f}")
    print(f"{seconds:.1f} s, {truth['rows'] / seconds:,.0f} rows/s")
    print(f"best possible: AUC {best['auc']:.4f}, logloss {best['logloss']:.4f}")
    for term in truth["terms"]:
        print(f"  order {len(term['fields'])}, AUC {term['auc']:.4f}: {', '.join(term['fields'])}")


if __name__ == "__main__":
    run_program(main, required=["format", "rows", "output"])
