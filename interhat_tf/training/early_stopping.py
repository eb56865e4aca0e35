"""When training stops, and which epoch was the best: for `train` and, as a callback, for `fit`."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.training.evaluation import evaluate_batches
from interhat_tf.utils.limits import check_choice

CRITERIA: dict[str, Callable[[Any, Any], Any]] = {
    "auc - logloss": lambda auc, logloss: auc - logloss,
    "logloss": lambda auc, logloss: -logloss,
    "auc": lambda auc, logloss: auc,
}
"""What makes an epoch better than another, from its AUC and logloss on validation. AUC compares
records that are equally likely to be clicked as well, whose order is chance: where these are most,
or the split is small, noise decides the first criterion, and the second is the better one. The
third is for models whose probabilities are shifted on purpose (`positive_weight`). All are linear
in both, so that they are means of what records add to them (`metrics.influences`)."""

MIN_GAIN = 1e-5
"""Smaller gains on validation count as none: with a small learning rate they would never end."""

OVERFIT = 0.02
"""Share by which the logloss on validation has risen where training records were learnt by heart.

Noise moves it by less: on generated logs of 40,000 and 60,000 rows by up to 0.016."""


def overfits(history: Sequence[Mapping[str, Any]], best_epoch: int) -> bool:
    """Returns whether the model has overfitted since its best epoch.

    Since then their loss fell, and the logloss on validation rose by more than `OVERFIT` of
    itself. Under too strong a penalty both are higher.

    Args:
        history: The `loss` and `validation_logloss` of each epoch.
        best_epoch: Number of the best one, from 0.

    Example:

    >>> history = [{"loss": 0.51, "validation_logloss": 0.59}]
    >>> history.append({"loss": 0.41, "validation_logloss": 0.61})
    >>> overfits(history, best_epoch=0)
    True
    """
    best, last = history[best_epoch], history[-1]
    rise = last["validation_logloss"] / best["validation_logloss"] - 1
    return last["loss"] < best["loss"] and rise > OVERFIT


@dataclasses.dataclass
class BestEpoch:
    """The best epoch so far on validation, by a score of `CRITERIA`.

    Args:
        best_epoch: Its number, from 0; -1 before the first.
        best_score: Its score.
        epochs_without_gain: Epochs since the best.

    Example:

    >>> best = BestEpoch()
    >>> score = CRITERIA["auc - logloss"]
    >>> best.update(0, score(0.75, 0.5)), best.update(1, score(0.76, 0.6))
    (True, False)
    >>> best.best_epoch, best.epochs_without_gain
    (0, 1)
    """

    best_epoch: int = -1
    best_score: float = -float("inf")
    epochs_without_gain: int = 0

    def update(self, epoch: int, score: float) -> bool:
        """Takes note of an epoch's score; returns whether it is a gain.

        Only a gain of more than `MIN_GAIN` is one.
        """
        gain = score > self.best_score + MIN_GAIN
        if gain:
            self.best_epoch, self.best_score, self.epochs_without_gain = epoch, score, 0
        else:
            self.epochs_without_gain += 1
        return gain


class EarlyStopping(keras.callbacks.Callback):
    """Stops `fit` as `interhat_tf.train` stops, with exact AUC and logloss.

    After each epoch the model predicts the validation batches. Exact
    `validation_auc` and `validation_logloss` join the epoch's logs. After an
    epoch without a gain by the criterion the learning rate drops; after
    `patience` such epochs in a row training stops. At the end the model has the
    weights of the best epoch.

    `keras.callbacks.EarlyStopping` watches one number of the logs, drops no
    learning rate, and Keras' AUC is an approximation by thresholds.

    Args:
        validation: Batches of inputs and labels that can be read several times,
            such as a `tf.data.Dataset` or `PreparedDataset.evaluation_batches`;
            with weights both metrics are weighted. The model gives logits.
        patience: Epochs without a gain after which training stops. Defaults to 2.
        learning_rate_factor: What the learning rate is multiplied by after each
            of them. Defaults to 0.1.
        criterion: What makes an epoch better than another, a name in `CRITERIA`.
            Defaults to `"auc - logloss"`.

    Raises:
        ValueError: If there is no such criterion, validation can be read once only, or the
            learning rate, which is to drop, is that of a schedule.

    Attributes:
        best: The `BestEpoch`.

    Example:

        model.compile(Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
        model.fit(batches, epochs=100, callbacks=[EarlyStopping(validation_batches)])
    """

    def __init__(
        self,
        validation: Iterable[tuple[Any, ...]],
        patience: int = 2,
        learning_rate_factor: float = 0.1,
        criterion: str = "auc - logloss",
    ):
        super().__init__()
        check_choice("criterion", criterion, CRITERIA)
        if iter(validation) is validation:
            raise SettingError(
                "validation can be read once only; give batches that can be read after each "
                "epoch, such as a list or a tf.data.Dataset"
            )
        self.criterion = criterion
        self.validation = validation
        self.patience, self.learning_rate_factor = patience, learning_rate_factor

    def on_train_begin(self, logs: MutableMapping[str, Any] | None = None) -> None:
        """Forgets an earlier training."""
        schedule = keras.optimizers.schedules.LearningRateSchedule
        if self.learning_rate_factor != 1 and isinstance(
            self.model.optimizer._learning_rate, schedule
        ):
            raise SettingError(
                "the optimizer's learning rate follows a schedule, which EarlyStopping cannot "
                "drop: give it learning_rate_factor=1"
            )
        self.best = BestEpoch()
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, Any] | None = None) -> None:
        """Evaluates the model, keeps its weights or drops the learning rate."""
        found = evaluate_batches(self.validation, self.model.predict_on_batch)
        if logs is not None:
            logs.update({f"validation_{name}": value for name, value in found.items()})
        if self.best.update(epoch, CRITERIA[self.criterion](found["auc"], found["logloss"])):
            self.best_weights = [np.asarray(weight) for weight in self.model.weights]
            return
        if self.learning_rate_factor != 1:
            optimizer = self.model.optimizer
            optimizer.learning_rate = float(optimizer.learning_rate) * self.learning_rate_factor
        if self.best.epochs_without_gain >= self.patience:
            self.model.stop_training = True  # never False: another callback may have asked

    def on_train_end(self, logs: MutableMapping[str, Any] | None = None) -> None:
        """Gives the model the best weights."""
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
