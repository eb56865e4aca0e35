"""Which fields, and which pairs of fields, move a model's logit most, over many records."""

import dataclasses
import os
from typing import TYPE_CHECKING

import keras
import numpy as np

from interhat_tf.crosses import name_of
from interhat_tf.errors import SettingError
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import estimate_effects
from interhat_tf.explanation.field_sets import largest
from interhat_tf.explanation.interactions import Group, field_groups, pair_effects
from interhat_tf.explanation.selection import Condition, first_records
from interhat_tf.explanation.sentences import effects_note
from interhat_tf.schema import Batch
from interhat_tf.utils.files import save_png

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from interhat_tf.input_pipeline.dataset import PreparedDataset
    from interhat_tf.models import ClickModel

BACKGROUND = 32
"""Training records that exact effects are against, unless told otherwise."""


@dataclasses.dataclass(frozen=True, eq=False)
class Importance:
    """How far single fields, and pairs of them, move the logit of n records.

    Args:
        groups: The names of each group's fields, one or two.
        strengths: The mean of |effect| over the records, (groups,).
        means: The mean effect, (groups,), near 0 where a field raises as often as
            it lowers.
        errors: The standard error of each strength, (groups,), as of n records drawn
            at random.
        records: Number n of records.
        about: Which effects these are, a sentence.
    """

    groups: tuple[Group, ...]
    strengths: np.ndarray
    means: np.ndarray
    errors: np.ndarray
    records: int
    about: str

    def to_frame(self) -> "pd.DataFrame":
        """Returns a `pandas.DataFrame` with a row for each field and pair, the strongest first."""
        import pandas as pd  # slow to import

        found = pd.DataFrame(
            {
                "fields": [name_of(group) for group in self.groups],
                "kind": ["field" if len(group) == 1 else "pair" for group in self.groups],
                "strength": self.strengths,
                "mean": self.means,
                "error": self.errors,
            }
        )
        return found.sort_values("strength", ascending=False, kind="stable", ignore_index=True)

    def plot(self, path: str | os.PathLike | None = None, number: int = 15) -> "Figure":
        """Draws the strongest fields, and the strongest pairs below them if there are any.

        A bar is the mean |effect| on the logit, with its standard error, a dot the
        mean effect with its sign.

        Args:
            path: A PNG file to write as well. Defaults to `None`: none.
            number: How many fields, and how many pairs, at most. Defaults to 15.

        Returns:
            A `matplotlib.figure.Figure`.
        """
        from matplotlib.figure import Figure  # slow to import

        frame = self.to_frame()
        parts = [frame[frame.kind == kind].head(number)[::-1] for kind in ("field", "pair")]
        parts = [part for part in parts if len(part)]
        rows = [len(part) + 1 for part in parts]
        figure = Figure(figsize=(6.4, 0.9 + 0.26 * sum(rows)), layout="constrained")
        panels = figure.subplots(len(parts), sharex=True, squeeze=False, height_ratios=rows)[:, 0]
        for axes, part in zip(panels, parts, strict=True):
            pair = part.kind.iloc[0] == "pair"
            colour = "C1" if pair else "C0"
            axes.barh(part.fields, part.strength, xerr=part.error, color=colour, alpha=0.7)
            axes.plot(part["mean"], part.fields, "o", color="black", markersize=4)
            axes.axvline(0, color="0.6", linewidth=0.8)
            axes.set_title("together, beyond what each does alone" if pair else "single fields")
            axes.spines[["top", "right"]].set_visible(False)
        panels[-1].set_xlabel(f"mean |effect| on the logit; dot: mean effect ({self.records:,})")
        if path is not None:
            save_png(figure, path)
        return figure


def feature_importance(
    model: "ClickModel",
    data: "PreparedDataset",
    split: str = "test",
    *,
    segment: Condition | None = None,
    records: int | None = 1000,
    background: int | None = None,
    pairs: int = 0,
) -> Importance:
    """Returns how far each field moves a model's logit, over a split or a segment of it.

    Effects are exact, against training records, or those that the model estimates
    along with its prediction, if `fit_effects` gave it that; see `occlusion` and
    `pair_effects` for what they are.

    Args:
        model: Any model of the package.
        data: The `PreparedDataset`.
        split: The split. Defaults to `"test"`.
        segment: Which of its records count, such as `where(data.schema, app=3)`.
            Defaults to `None`: all.
        records: Number of records, the first ones, which stand for the rest since
            their order is random. Defaults to 1000; `None` for all.
        background: Number of training records that exact effects are against, 0 for
            estimated effects. Defaults to `None`: estimated ones if the model has
            them, exact ones against 32 records otherwise.
        pairs: Number w of the strongest fields whose w(w-1)/2 pairs are measured as
            well, at the cost of w(w+1)/2 predictions a record and a record of the
            background. Defaults to 0. A model that estimates pairs has all.

    Returns:
        The `Importance`.

    Raises:
        ValueError: If no record is in the segment, or the model estimates no effects
            and is asked for them, or `pairs` is 1.

    Example:

        found = feature_importance(model, data, pairs=5)
        found.to_frame()
        found.plot("importance.png")
    """
    if pairs == 1 or pairs < 0:
        raise SettingError(f"a pair is of two fields: pairs must be 0 or at least 2, got {pairs}")
    number = data.num_rows(split) if records is None else records
    inputs = first_records(data, split, number, segment)
    exact = model.effect_head is None if background is None else background > 0
    if not exact:
        return _estimated(model, inputs, pairs)
    compared = first_records(data, "train", background or BACKGROUND)
    against = len(next(iter(compared.values())))
    about = f"Effects are exact, against {against} training records."
    effects = occlusion(model, inputs, compared)
    if not pairs:
        return _of_effects(model, effects, [], about)
    groups = _strongest_pairs(model, effects, pairs)
    together = pair_effects(model, inputs, compared, groups)
    return _of_effects(model, np.concatenate([effects, together], axis=1), groups, about)


def _estimated(model: "ClickModel", inputs: Batch, pairs: int) -> Importance:
    found = estimate_effects(model, inputs)
    if pairs and "pair_effects" not in found:
        raise SettingError(
            "the model estimates no pairs: call fit_effects(model, data, pairs=True)"
        )
    kinds = [kind for kind in ("effects", "pair_effects") if kind in found]
    effects = np.concatenate([found[kind] for kind in kinds], axis=1)  # (B, m), (B, m + pairs)
    groups = field_groups(model.schema, 2) if len(kinds) == 2 else []
    about = effects_note(model.diagnosis.get("effects"))
    return _of_effects(model, effects, groups, about)


def _strongest_pairs(model: keras.Model, effects: np.ndarray, fields: int) -> list[Group]:
    """Returns the pairs of the fields of a record with the largest mean |effect|."""
    schema = model.schema
    own = [schema.field_names.index(field.name) for field in schema.record_fields]
    strengths = np.abs(effects[:, own]).mean(axis=0)[None]  # (1, C + N)
    kept = {schema.record_fields[place].name for place in largest(strengths, fields)[0]}
    return [group for group in field_groups(schema, 2) if kept.issuperset(group)]


def _of_effects(
    model: keras.Model, effects: np.ndarray, pairs: list[Group], about: str
) -> Importance:
    """Returns the importance that follows from the effects of fields and pairs, (B, groups)."""
    names: list[Group] = [(name,) for name in model.schema.field_names]
    sizes = np.abs(effects)  # (B, groups)
    return Importance(
        (*names, *pairs),
        sizes.mean(axis=0),
        effects.mean(axis=0),
        sizes.std(axis=0) / np.sqrt(len(sizes)),
        len(sizes),
        about,
    )
