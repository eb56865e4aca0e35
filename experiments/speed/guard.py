"""Whether a training step does more than it did: operations, arithmetic and bytes.

    python -m experiments.speed.guard
    python -m experiments.speed.guard --results_dir=experiments/results

TensorFlow traces a step of each model at Criteo's sizes, with the CPU kernels and without, and the
graph is counted as `experiments.speed.cost` does. What is counted depends on no processor, load or
privilege, so that a continuous integration can run it: it fails if a number is more than 5% above
the one that `experiments/results/speed/step_costs.json` has. The second command sets new ones, as
is due where a step does more on purpose. Writes `speed/step_costs.json`. About half a minute.

It does not see what happens inside a kernel or an operation: `experiments.speed.grid` times that.
"""

import os
import pathlib
from collections.abc import Mapping
from unittest import mock

import tensorflow as tf

from experiments.common.results import PUBLISHED, RESULTS_DIR, record, write_result
from experiments.common.running import run_program
from experiments.speed.cost import cost
from experiments.speed.paper_models import build
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.timed_cases import Training
from interhat_tf import InterHAt, kernels
from interhat_tf.errors import InterhatError
from interhat_tf.kernels.library import SWITCH
from interhat_tf.training.optimizers import Adam
from interhat_tf.utils.files import read_json

GUARDED = ("interhat", "interhat_paper", "tuned", "deepfm")
BATCH_SIZE = 2048
ALLOWED = 1.05

Costs = Mapping[str, Mapping[str, int]]
"""What is counted of each case."""


class StepGrew(InterhatError, ValueError):
    """A training step that does more than it did."""


def main(_):
    published = pathlib.Path(PUBLISHED)
    known = published / "speed/step_costs.json"
    setting = pathlib.Path(RESULTS_DIR.value) == published
    earlier = {} if setting else read_json(known)["costs"]
    costs = {f"{name}, {how}": counted(name, how) for name in GUARDED for how in ways()}
    for case, numbers in costs.items():
        print(f"{case}: " + ", ".join(f"{kind} {number:,}" for kind, number in numbers.items()))
    write_result("speed/step_costs.json", record(batch_size=BATCH_SIZE, costs=costs))
    if more := grown(earlier, costs):
        raise StepGrew(
            f"a training step does more than it did: {'; '.join(more)}. If that is meant, set "
            f"new counts: python -m experiments.speed.guard --results_dir={PUBLISHED}"
        )


def ways() -> list[str]:
    """Returns how a step can be computed here: with the kernels and without."""
    return ["plain", *(["kernels"] if kernels.are_usable() else [])]


def counted(name: str, how: str) -> dict[str, int]:
    """Returns the cost of a model's step.

    Args:
        name: A name of `GUARDED`.
        how: One of `ways`.
    """
    with mock.patch.dict(os.environ, {} if how == "kernels" else {SWITCH: "0"}):
        return _counted(name)


def _counted(name):
    schema = schema_of(SIZES["criteo"])
    if name == "tuned":
        model = InterHAt.from_preset("tuned", schema, dataset="criteo")
    else:
        model = build(name, schema, "criteo")
    training = Training(model, Adam(), batches_of(model.schema, BATCH_SIZE))
    return cost(training.steps, training.batches, tf.constant(1), fields=len(schema.fields))


def grown(earlier: Costs, costs: Costs) -> list[str]:
    """Returns what of each case has grown by more than is allowed; new cases have not.

    Example:

    >>> grown({"fm": {"flops": 100, "bytes": 100}}, {"fm": {"flops": 106, "bytes": 105}})
    ['fm: flops 100 -> 106']
    """
    return [
        f"{case}: {kind} {earlier[case][kind]:,} -> {number:,}"
        for case, numbers in costs.items()
        for kind, number in numbers.items()
        if case in earlier and number > ALLOWED * earlier[case][kind]
    ]


if __name__ == "__main__":
    run_program(main)
