"""The whole state of a training in one file, from which it goes on bit for bit."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from interhat_tf.errors import DamagedFileError, SettingError
from interhat_tf.training.early_stopping import BestEpoch
from interhat_tf.utils.files import atomic_write
from interhat_tf.utils.threads import threads_an_operation


@dataclasses.dataclass
class TrainingState(BestEpoch):
    """Where a training stands, apart from the variables."""

    epoch: int = 0
    step: int = 0
    finished: bool = False
    seconds: float = 0.0
    epoch_seconds: list[float] = dataclasses.field(default_factory=list)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    threads: int | None = None
    penalty_scale: float = 1.0


class Checkpoint:
    """A training's state: its progress, its variables, the best weights so far.

    Args:
        path: The file; it is overwritten as the training goes on, and is either
            complete or not there.
        variables: All variables that change: the model's, which include the
            states of its random generators, the optimizer's, sums.
        best_weights: Arrays like the model's weights.

    Attributes:
        state: The `TrainingState`.
        best_weights: The weights that were best on validation.
    """

    def __init__(
        self,
        path: pathlib.Path,
        variables: Iterable[Any],
        best_weights: Iterable[np.ndarray],
    ):
        self.path, self.state = path, TrainingState()
        self.variables, self.best_weights = list(variables), list(best_weights)

    def save(self) -> None:
        """Writes the file."""
        self.state.threads = threads_an_operation()
        with atomic_write(self.path) as file:
            state = json.dumps(dataclasses.asdict(self.state))
            np.savez(file, state=state, **self._arrays())

    def restore(self) -> None:
        """Takes up the state that the file holds, if there is one.

        Raises:
            ValueError: If the file is damaged or of another model, or was made with
                another number of threads, with which sums come out differently in their last
                bits. Nothing was changed then.
        """
        for leftover in self.path.parent.glob(f".{self.path.name}.*"):  # of a run killed in `save`
            leftover.unlink()
        if not self.path.exists():
            return
        try:
            with np.load(self.path) as file:
                arrays = dict(file)
            state = TrainingState(**json.loads(str(arrays.pop("state"))))
            shapes = _shapes(arrays)
        except Exception as error:  # there are many ways to be damaged
            raise DamagedFileError(
                f"{self.path} is damaged; remove it to start the run again"
            ) from error
        if shapes != _shapes(self._arrays()):
            raise SettingError(f"{self.path} is a checkpoint of another model; nothing was changed")
        threads = threads_an_operation()
        if None not in (threads, state.threads) and state.threads != threads:
            raise SettingError(
                f"{self.path} was made with {state.threads} threads per operation, and there are "
                f"now {threads}, which would change the last bits of the weights; set "
                f"TF_NUM_INTRAOP_THREADS={state.threads}"
            )
        for i, variable in enumerate(self.variables):
            variable.assign(arrays[f"variable_{i}"])
        self.best_weights = [arrays[f"best_{i}"] for i in range(len(self.best_weights))]
        self.state = state

    def _arrays(self):
        arrays = {f"variable_{i}": np.asarray(v) for i, v in enumerate(self.variables)}
        return arrays | {f"best_{i}": weight for i, weight in enumerate(self.best_weights)}


def _shapes(arrays):
    return {name: array.shape for name, array in arrays.items()}
