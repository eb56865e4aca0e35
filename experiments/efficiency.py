"""Figure 2: seconds an epoch of InterHAt and of the models that it is compared with.

    python -m experiments.efficiency --size=criteo
    python -m experiments.efficiency --size=avazu

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

from experiments.hyperparameters import TABLE_2, hyperparameters
from experiments.paper_sizes import SIZES, schema_of
from experiments.programs import mean_and_std, run_program
from experiments.result_flags import RESULTS_DIR, chosen_models
from experiments.timing import Training, device, train_in_turn
from interhat_tf.files import write_json
from interhat_tf.models import MODELS
from interhat_tf.optimizers import Adam
from interhat_tf.training import versions

# The layers of each model's own paper, on Criteo where it says so.
PAPERS = {
    "wide_deep": {"mlp_units": (1024, 512, 256)},
    "dcn": {"num_cross_layers": 6, "mlp_units": (1024, 1024)},
    "ipnn": {"mlp_units": (400, 400, 400)},
    "deepfm": {"mlp_units": (400, 400, 400)},
    "xdeepfm": {"cin_units": (200, 200, 200), "mlp_units": (400, 400)},
    "autoint": {"num_layers": 3, "num_heads": 2, "key_dim": 32},
}
# The released form, the ablation, and the printed equations with d_K = d / h or 1, whichever
# is more: the paper does not give d_K.
INTERHAT = {
    "interhat": ("interhat", "released"),
    "interhat_s": ("interhat_s", "released"),
    "interhat_paper": ("interhat", "paper"),
}
ALL = [*PAPERS, *INTERHAT]

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
        model = INTERHAT[name][0] if name in INTERHAT else name
        built = MODELS[model](schema, **arguments_of(name))
        trainings[name] = Training(built, Adam(), BATCH.value, jit_compile=XLA.value)
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
                "arguments": arguments_of(name),
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


def arguments_of(name):
    """Returns what a model is built with: its paper's layers, Table 2's embedding size."""
    if name in PAPERS:
        return {"embedding_dim": TABLE_2[SIZE.value]["embedding_dim"], **PAPERS[name]}
    model, preset = INTERHAT[name]
    arguments, _ = hyperparameters(SIZE.value, preset, model)
    if preset == "paper":
        arguments["key_dim"] = max(1, arguments["embedding_dim"] // arguments["num_heads"])
    return arguments


if __name__ == "__main__":
    run_program(main)
