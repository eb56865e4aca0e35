"""Figure 2: seconds an epoch of InterHAt and of the models that it is compared with.

    python -m experiments.paper.figure_2 --size=criteo
    python -m experiments.paper.figure_2 --size=avazu

Trains all models in one process on records of the paper's sizes, in turn, a
part of an epoch at a time: one round that does not count, then five. Every
model has Table 2's embedding size, the same embedding layer, optimizer and
loop, and the layers that its own paper gives it on Criteo. Writes
`experiments/results/efficiency/SIZE/summary.json`, from which `make tables`
draws the figure. On 2 cores, with nothing else running, about two minutes each;
a GPU is used where there is one.
"""

import datetime
import pathlib

from absl import flags

from experiments.common.model_flags import chosen_models
from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_models import INTERHAT, arguments_of, build
from experiments.speed.paper_sizes import SIZES, schema_of
from experiments.speed.timing import Training, device, train_in_turn
from interhat_tf.training.optimizers import Adam
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

# The paper's six, and InterHAt's other forms.
ALL = ["wide_deep", "dcn", "ipnn", "deepfm", "xdeepfm", "autoint", *INTERHAT]

SIZE = flags.DEFINE_enum("size", "criteo", list(SIZES), "whose sizes the records have")
BATCH = flags.DEFINE_integer("batch", 2048, "records a step")
STEPS = flags.DEFINE_integer("steps", 10, "steps of a model in a round")
ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds that count")
XLA = flags.DEFINE_bool("xla", False, "compile the training steps with XLA")


def main(_):
    chosen = chosen_models(ALL)
    size = SIZES[SIZE.value]
    schema = schema_of(size)
    trainings = {}
    for name in chosen:
        model = build(name, schema, SIZE.value)
        trainings[name] = Training(model, Adam(), BATCH.value, jit_compile=XLA.value)
    seconds = train_in_turn(trainings, STEPS.value, ROUNDS.value)
    epoch = size.epoch_rows / (STEPS.value * BATCH.value)
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "device": device(),
        "sizes": {
            "fields": len(schema.fields),
            "features": size.features,
            "batch_size": BATCH.value,
            "steps": STEPS.value,
            "rounds": ROUNDS.value,
            "epoch_rows": size.epoch_rows,
            "jit_compile": XLA.value,
        },
        "models": {
            name: {
                "parameters": trainings[name].model.count_params(),
                "arguments": arguments_of(name, SIZE.value),
                "seconds_per_epoch": mean_and_std([s * epoch for s in times]),
                "rows_per_second": STEPS.value * BATCH.value / (sum(times) / len(times)),
                "rounds": times,
            }
            for name, times in seconds.items()
        },
    }
    folder = pathlib.Path(RESULTS_DIR.value) / "efficiency" / SIZE.value
    write_json(folder / "summary.json", summary)
    for name, row in summary["models"].items():
        print(f"{name:15} {row['rows_per_second']:10,.0f} rows/s")


if __name__ == "__main__":
    run_program(main)
