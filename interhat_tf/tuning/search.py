"""A search of hyperparameters with Optuna: trials that are kept, and what the best one tells."""

import json
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interhat_tf.errors import InterhatError, SettingError
from interhat_tf.training.run_folder import differences
from interhat_tf.tuning.spaces import Space

if TYPE_CHECKING:
    import optuna

Setting = dict[str, Any]

FAILURES = 3
"""Trials that may fail before one has succeeded."""

NEAR = 0.05
"""How near the end of a range, as a share of it, is called its edge."""

HIGHEST = {"learning_rate_factor": 1.0}
"""The highest value that makes sense, of names that have one."""


class TrialFailed(InterhatError, ValueError):
    """A training that ended with an error, such as one that diverged."""


class Search:
    """Trials of a space's settings; they stand in `trials.db` of a folder, and go on from there.

    Optuna's sampler (TPE) chooses each setting by the scores of those before it.

    Args:
        folder: The folder.
        space: The `Space`; a name with one value is fixed.
        about: What the trials have in common, as JSON: they are of no other search.
        seed: Seed of the sampler. Defaults to 0.

    Raises:
        ImportError: If Optuna is not installed: `pip install 'interhat_tf[tune]'`.
        SettingError: If the folder holds trials of another search.
    """

    def __init__(
        self, folder: pathlib.Path, space: Space, about: Mapping[str, Any], seed: int = 0
    ) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ImportError("tuning needs Optuna: pip install 'interhat_tf[tune]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.folder, self.space = folder, dict(space)
        folder.mkdir(parents=True, exist_ok=True)
        self.study = optuna.create_study(
            storage=f"sqlite:///{folder.resolve() / 'trials.db'}",
            study_name="interhat",
            direction="maximize",
            load_if_exists=True,
        )
        # A search that goes on would otherwise draw what it has drawn at first.
        self.study.sampler = optuna.samplers.TPESampler(seed=seed + len(self.study.trials))
        now = json.loads(json.dumps({**about, "space": self.space}))
        earlier = self.study.user_attrs.get("search", now)
        if changed := differences(earlier, now):
            raise SettingError(f"{folder} holds trials of another search: {changed}")
        self.study.set_user_attr("search", now)

    def run(self, trials: int, score: Callable[[int, Setting], float]) -> Iterator[int]:
        """Makes trials until there are as many as asked for, and yields the number of each.

        One that was begun and not finished, since the program was killed, is made again
        first.

        Args:
            trials: Number of trials, with those that there are.
            score: A function of a trial's number and setting; the higher, the better.

        Raises:
            TrialFailed: If the first three trials fail.
        """
        import optuna

        states = optuna.trial.TrialState
        begun = [trial.number for trial in self.study.trials if trial.state == states.RUNNING]
        new = max(trials - len(self.study.trials), 0)
        for number in (*begun, *(None for _ in range(new))):
            trial = self._ask() if number is None else self.study.trials[number]
            try:
                self.study.tell(trial.number, score(trial.number, self.setting(trial)))
            except TrialFailed:
                self.study.tell(trial.number, state=states.FAIL)
                if len(self.study.trials) >= FAILURES and not self.scores():
                    raise
            yield trial.number

    def _ask(self) -> "optuna.Trial":
        trial = self.study.ask()
        for name, values in self.space.items():
            if _is_range(values):
                low, high = min(values), max(values)
                trial.suggest_float(name, low, high, log=low > 0)
            elif len(values) > 1:
                trial.suggest_categorical(name, [json.dumps(value) for value in values])
        return trial

    def setting(self, trial: "optuna.Trial | optuna.trial.FrozenTrial") -> Setting:
        """Returns the setting of a trial, the fixed values with it; fractions of three digits."""
        found = {}
        for name, values in self.space.items():
            if _is_range(values):
                found[name] = float(f"{trial.params[name]:.3g}")
            elif len(values) > 1:
                found[name] = json.loads(trial.params[name])
            else:
                found[name] = values[0]
        return found

    def scores(self) -> dict[int, float]:
        """Returns the scores of the trials that did not fail, by their number."""
        return {t.number: t.value for t in self.study.trials if t.value is not None}

    def best(self) -> tuple[int, Setting]:
        """Returns number and setting of the trial with the highest score."""
        trial = self.study.best_trial
        return trial.number, self.setting(trial)


def edges(space: Space, setting: Setting) -> list[str]:
    """Returns in words which values of a setting lie at the end of what was tried.

    Those beyond which there is nothing, such as a dropout of 0, do not count.

    Args:
        space: The space.
        setting: The setting.

    Example:

    >>> edges({"learning_rate": (5e-4, 1e-3, 2e-3), "order": (1, 2)},
    ...       {"learning_rate": 0.00197, "order": 1})
    ['learning_rate 0.00197 is at the upper end of what was tried, 0.0005 to 0.002']
    """
    return [
        f"{name} {setting[name]:g} is at the {end} end of what was tried, "
        f"{min(values):g} to {max(values):g}"
        for name, values in space.items()
        if (end := _end(name, values, setting[name]))
    ]


def _end(name: str, values: Sequence[Any], value: Any) -> str:
    """Returns which end of the values that were tried one of them is near, `""` if none."""
    if len(values) < 2 or not all(type(v) in (int, float) for v in values):
        return ""
    low, high = min(values), max(values)
    margin = 0.0
    if _is_range(values):
        low, high, value = (math.log(x) if min(values) > 0 else x for x in (low, high, value))
        margin = NEAR * (high - low)
    if value >= high - margin:
        return "" if max(values) == HIGHEST.get(name) else "upper"
    is_lowest = min(values) == (1 if type(values[0]) is int else 0)
    return "lower" if value <= low + margin and not is_lowest else ""


def _is_range(values: Sequence[Any]) -> bool:
    """Returns whether what lies between values may be tried as well: fractions, three or more."""
    return len(values) > 2 and all(type(value) is float for value in values)
