"""Cases of a grid that PyTorch computes: FuxiCTR's InterHAt, and a DeepFM."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from experiments.speed.grids import Case
from experiments.speed.paper_models import arguments_of
from experiments.speed.paper_sizes import SIZES, arrays_of, schema_of
from experiments.speed.pytorch_process import PYTHON, ZOO, pytorch_model


def timed_in_pytorch(case: Case) -> bool:
    """Returns whether the flags say where PyTorch is, and the case is one that it computes."""
    plain = case.precision == "float32" and not case.jit_compile
    return plain and bool(PYTHON.value) and bool(ZOO.value or case.model != "interhat")


@contextlib.contextmanager
def pytorch_case(case: Case) -> Iterator[tuple[dict[str, Any], Callable[[int], float]]]:
    """Starts the model of a case; yields what is known of it, and what times a number of steps."""
    schema, sizes = schema_of(SIZES[case.size]), _sizes(case)
    zoo = {"zoo": ZOO.value} if case.model == "interhat" else {}
    arguments = {"sizes": schema.vocabulary_sizes, **zoo, **sizes}
    threads = len(os.sched_getaffinity(0))
    with pytorch_model(case.model, arrays_of(schema, case.batch), arguments, threads) as model:
        facts = {**model.facts, "arguments": sizes}
        yield facts, lambda steps: model.train(steps).clock


def _sizes(case):
    """Returns our model's sizes, by the names that the other one gives them."""
    ours = arguments_of(case.model, case.size)
    dim = ours["embedding_dim"]
    if case.model == "deepfm":
        return {"dim": dim, "units": ours["mlp_units"]}
    units = ours["attention_size"]
    return {
        "embedding_dim": dim,
        "attention_dim": units,
        "num_heads": ours["num_heads"],
        "hidden_dim": units,
        # InterHAt's defaults.
        "order": 3,
        "hidden_units": [max(1, dim // 2)],
    }
