"""Why a model predicted what it did, record by record: weights, signed shares, plain words."""

import dataclasses
import functools
import json
import os
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from interhat_tf.calibration import Calibration, probability
from interhat_tf.errors import DataError, SettingError
from interhat_tf.explanation.attributions import occlusion, value_effects
from interhat_tf.explanation.batches import check_base, explain_inputs
from interhat_tf.explanation.html_page import write_page
from interhat_tf.explanation.interaction_sets import interaction_sets
from interhat_tf.explanation.interactions import Interaction, pair_positions, pairs_within, ranked
from interhat_tf.explanation.json_data import json_data
from interhat_tf.explanation.record_values import (
    given_values,
    plain_values,
    unknown_values,
    with_crossed_values,
)
from interhat_tf.explanation.sentences import (
    attention_note,
    differ,
    effects_note,
    hashed_note,
    label,
    sentences,
    unknown_note,
)
from interhat_tf.explanation.tables import frame, html_table
from interhat_tf.explanation.to_shap import shap_explanation
from interhat_tf.schema import MULTIVALUED, Batch
from interhat_tf.utils.files import atomic_write
from interhat_tf.utils.value_texts import ValueTexts

if TYPE_CHECKING:
    import pandas as pd
    import shap
    from matplotlib.figure import Figure

    from interhat_tf.explanation.overview import Overview


_OF_ALL = (
    *("field_names", "attention", "effect_fidelity", "calibration", "hashed"),
    "value_fields",
)
"""What an explanation says of all its records."""


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """The explanation of B records, of m fields each, by a model of highest order k.

    Made by `explain_records`. A part of the records, `explanation[2:5]` or
    `explanation[[3]]`, is an `Explanation` as well.

    Args:
        field_names: Names of the fields in the model's order.
        values: Each record's values as readable text, (B, m).
        logits: Logits, (B,).
        bias: The logit of a record to which no field adds anything, (B,): of the
            average training record or, for a model without one, of zeros.
        order_weights: alpha_f of Equation 5, (B, k).
        field_weights: alpha_1 ... alpha_k of Equation 2, (B, k, m).
        contributions: Each field's share of the logit in each order, (B, k, m).
            Their sum and the bias are the logit.
        heads: Attention weights of the h heads, (B, h, m, m), rows being queries;
            `None` unless asked for.
        effects: What each field's own value adds to the logit, against the
            values of a background, (B, m), by `occlusion`, or as the model's
            `EffectHead` estimates it; `None` if there is neither. Where fields
            decide jointly, weights and contributions may name one of them and
            effects name all.
        pairs: The pairs of fields whose `pair_effects` there are, as positions in
            `field_names`, (B, pairs, 2); `None` if there are none.
        pair_effects: What the values of each of these pairs add to the logit
            together that neither adds alone, (B, pairs): exact, if they were asked
            for, or as the model's `EffectHead` estimates it.
        attention: What `InterHAt.diagnose` has found of the model's attention;
            `None` if the model was not diagnosed.
        effect_fidelity: What `fit_effects` has found of the model's effects, if
            `effects` are these; `None` for exact ones.
        calibration: How the model's logits become probabilities; `None` if it was
            not calibrated: by a sigmoid.
        unknown: Whether each value is out of vocabulary, (B, m) booleans; `None` if that
            was not asked.
        hashed: Names of the fields that are hashed. Defaults to none.
        labels: Whether each record was clicked, (B,) of 0 and 1; `None` if that is not
            known.
        value_weights: How much each value of the fields of several has in its field's
            vector, (B, L), as `layers.ValuePooling` says; `None` if there are no such
            fields.
        value_effects: What each of these values adds to the logit, against the record
            without it, (B, L); `None` unless there are exact `effects`.
        value_fields: The field of each of the L columns. Defaults to none.

    Raises:
        ValueError: If contributions are against an average record that the model
            was not given.

    Example:

    >>> from interhat_tf import Field, InterHAt, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("app", "categorical", 5)])
    >>> model = InterHAt(schema, order=2)
    >>> explanation = explain_records(model, {"categorical": np.array([[4, 1], [2, 3]])})
    >>> len(explanation), explanation.contributions.shape
    (2, (2, 2, 2))
    >>> explanation[[1]].values.tolist()
    [['2', '3']]
    """

    field_names: tuple[str, ...]
    values: np.ndarray
    logits: np.ndarray
    bias: np.ndarray
    order_weights: np.ndarray
    field_weights: np.ndarray
    contributions: np.ndarray
    heads: np.ndarray | None = None
    effects: np.ndarray | None = None
    pairs: np.ndarray | None = None
    pair_effects: np.ndarray | None = None
    attention: Mapping[str, Any] | None = None
    effect_fidelity: Mapping[str, Any] | None = None
    calibration: Calibration | None = None
    unknown: np.ndarray | None = None
    hashed: tuple[str, ...] = ()
    labels: np.ndarray | None = None
    value_weights: np.ndarray | None = None
    value_effects: np.ndarray | None = None
    value_fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_base(self.logits, self.bias)

    def __len__(self) -> int:
        return len(self.logits)

    def __repr__(self) -> str:
        k, m = self.field_weights.shape[1:]
        return f"<Explanation of {len(self)} records, {m} fields and {k} orders>"

    def __getitem__(self, records: int | slice | Sequence[int] | np.ndarray) -> "Explanation":
        if isinstance(records, (int, np.integer)):
            records = [records]
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        of_all = {name: parts.pop(name) for name in _OF_ALL}
        parts = {name: None if part is None else part[records] for name, part in parts.items()}
        return Explanation(**of_all, **parts)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """Predicted probabilities of a click, (B,), calibrated if the model is."""
        return self.probability_of(self.logits)

    def probability_of(self, logits: np.ndarray) -> np.ndarray:
        """Returns the probabilities that logits of this model stand for, calibrated if it is.

        Args:
            logits: Logits, (B,).
        """
        return self.calibration.probability(logits) if self.calibration else probability(logits)

    def interaction_sets(self) -> list[list[tuple[str, ...]]]:
        """Returns for each record and order the names of the fields that outweigh the rest.

        See `interhat_tf.explanation.interaction_sets` for the rule.
        """
        return interaction_sets(self.field_names, self.field_weights)

    def interactions(self) -> list[list[Interaction]]:
        """Returns each record's pairs of fields and their effects, the largest |effect| first.

        Raises:
            ValueError: If no pair effects were asked for.
        """
        if self.pairs is None or self.pair_effects is None:
            raise SettingError(
                "there are no pair effects: call explain_records(…, background=…, interactions=8)"
            )
        return ranked(self.field_names, self.pairs, self.pair_effects)

    def value_shares(self, record: int, field: str) -> list[tuple[str, float]]:
        """Returns a record's values of a field and their weights, the largest first.

        Args:
            record: Number of the record.
            field: Name of the field.

        Raises:
            ValueError: If it is not a field of several values.
        """
        return self._of_values(self.value_weights, record, field)

    def value_moves(self, record: int, field: str) -> list[tuple[str, float]]:
        """Returns a record's values of a field and their effects, the largest first.

        Args:
            record: Number of the record.
            field: Name of the field.

        Raises:
            ValueError: If it is not such a field, or the explanation has no background.
        """
        return self._of_values(self.value_effects, record, field)

    def _of_values(
        self, numbers: np.ndarray | None, record: int, field: str
    ) -> list[tuple[str, float]]:
        if field not in self.value_fields:
            names = ", ".join(dict.fromkeys(self.value_fields)) or "none"
            raise SettingError(
                f"{field!r} is not a multivalued field or a sequence; there are: {names}"
            )
        if numbers is None:
            raise SettingError("values have effects in explain_records(…, background=…) alone")
        texts = self.values[record, self.field_names.index(field)]
        parts = texts.parts if isinstance(texts, ValueTexts) else ()
        of_field = numbers[record][np.equal(self.value_fields, field)]  # (its columns,)
        pairs = zip(parts, of_field.tolist(), strict=False)
        return sorted(pairs, key=lambda pair: -abs(pair[1]))

    def label(self, record: int, field: int) -> str:
        """Returns a field and its value in a record: `user = 7`, or `age unknown`.

        Of a field whose values have different weights it has these:
        `genres: Sci-Fi 0.62, Comedy 0.38`.

        Args:
            record: Number of the record.
            field: Position of the field in `field_names`.
        """
        name = self.field_names[field]
        shares = self.value_shares(record, name) if name in self.value_fields else []
        return label(name, self.values[record, field], shares)

    def value_to_draw(self, record: int, field: int) -> str:
        """Returns a field's value for a cell of a heat map: of several, the one that weighs most.

        Args:
            record: Number of the record.
            field: Position of the field in `field_names`.
        """
        name, value = self.field_names[field], self.values[record, field]
        shares = self.value_shares(record, name) if name in self.value_fields else []
        if differ(shares):
            return f"{shares[0][0]} {shares[0][1]:.2f}"
        return value.short() if isinstance(value, ValueTexts) else value

    def sentences(self) -> list[str]:
        """Returns which values move each record's prediction most, and from where to where.

        By pair effects, if there are any, otherwise by effects, otherwise by
        contributions; see `interhat_tf.explanation.sentences`. They say nothing of
        orders and weights, which do not tell what values do.
        """
        return sentences(self)

    def attention_note(self) -> str:
        """Returns in plain words what attention is worth to the model, or nothing if unknown."""
        return attention_note(self.attention)

    def unknown_shares(self) -> dict[str, float]:
        """Returns the share of the records whose value is out of vocabulary, by field."""
        if self.unknown is None or not len(self):
            return {}
        return dict(zip(self.field_names, self.unknown.mean(axis=0).tolist(), strict=True))

    def unknown_note(self) -> str:
        """Returns in plain words of which fields values are out of vocabulary, or nothing."""
        return unknown_note(self.unknown_shares())

    def hashed_note(self) -> str:
        """Returns in plain words of which fields an id is many values', or nothing."""
        return hashed_note(self.hashed)

    def effects_note(self) -> str:
        """Returns in plain words how well estimated effects agree with exact ones, or nothing."""
        return effects_note(self.effect_fidelity)

    def calibration_note(self) -> str:
        """Returns in plain words how probabilities were calibrated, or nothing if they were not."""
        return f"Probabilities are {self.calibration}." if self.calibration else ""

    def to_frame(self) -> "pd.DataFrame":
        """Returns a `pandas.DataFrame` with a row for each record, order and field."""
        return frame(self)

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it in lists, texts and numbers, for JSON; a dictionary a record."""
        return json_data(self)

    def to_json(self, path: str | os.PathLike | None = None) -> str | None:
        """Returns `to_dict` as JSON, or writes it to a file that is complete or not there.

        Args:
            path: The file. Defaults to `None`: the text is returned.
        """
        text = json.dumps(self.to_dict(), ensure_ascii=False)
        if path is None:
            return text
        with atomic_write(path) as file:
            file.write(text.encode())
        return None

    def to_html(
        self,
        path: str | os.PathLike,
        title: str = "Explanations",
        about: str = "",
        overview: "Overview | None" = None,
    ) -> None:
        """Writes a self-contained page to look into the records; see `write_page`.

        Args:
            path: The file; its folder is made if need be.
            title: Title of the page.
            about: A line under it, say of the model and the data.
            overview: What `model_overview` says of the whole split. Defaults to `None`.
        """
        write_page(self, path, title, about, overview)

    def to_shap(self) -> "shap.Explanation":
        """Returns a `shap.Explanation`, for the plots of the `shap` package.

        Its values are the effects, or the contributions if there are none. They are on
        the logit, and `base_values` is what they leave of it: values and base sum
        to each record's logit. With contributions, and with Shapley values that the
        model estimates, that is a base to which the fields add; with other effects
        it is a rest without a meaning of its own, which differs from record to
        record. `data` are the values as text, which plots that colour by numbers
        (`violin`, `scatter`) do not take.

        Raises:
            ImportError: If shap is not installed: `pip install 'interhat_tf[shap]'`.

        Example:

            shap.plots.waterfall(explanation.to_shap()[0])
            shap.plots.bar(explanation.to_shap())
        """
        return shap_explanation(self)

    def plot(self, record: int = 0, **options: Any) -> "Figure":
        """Draws a record's heat map, in the layout of the paper's Figures 5 to 7.

        Args:
            record: Number of the record.
            **options: Arguments of `attention_heatmap`.

        Returns:
            A `matplotlib.figure.Figure`.
        """
        # Here, since Matplotlib is slow to import.
        from interhat_tf.explanation.heatmap import attention_heatmap

        one = types.SimpleNamespace(
            field_names=self.field_names,
            field_weights=self.field_weights[record],
            order_weights=self.order_weights[record],
        )
        (title,) = self[record].sentences()
        effects = None if self.effects is None else self.effects[record]
        values = [self.value_to_draw(record, field) for field in range(len(self.field_names))]
        options = {"title": title, "values": values, "effects": effects, **options}
        return attention_heatmap(one, **options)

    def _repr_html_(self) -> str:
        return html_table(self)


def explain_records(
    model: keras.Model,
    inputs: Batch,
    values: Sequence[Sequence[Any]] | np.ndarray | None = None,
    heads: bool = False,
    background: Batch | None = None,
    batch_size: int = 4096,
    interactions: int = 0,
    labels: np.ndarray | None = None,
) -> Explanation:
    """Explains records.

    Args:
        model: An `InterHAt`, or another model with `schema` and such an `explain`.
        inputs: Dictionary of `categorical`, (B, C), `numerical`, (B, N), and
            `multivalued`, (B, L), as the model takes it.
        values: Each record's values as readable text, (B, C + N + V), in the order of
            `schema.record_fields`, as `PreparedDataset.decode` returns them; of several
            values, `ValueTexts`. What is no text becomes text, `None` and NaN
            "(missing)". The values of crosses are made of them. Defaults to the
            ids and numbers.
        heads: Whether the heads' attention weights are kept, h * m * m numbers a
            record. Defaults to `False`.
        background: Inputs of records that stand for the data, some tens of
            them; with it the explanation has exact `effects`, at the cost of m
            times as many predictions a record as it has records. Defaults to `None`:
            `effects` are those of `fit_effects`, if the model has them.
        batch_size: Records that are explained at a time. Defaults to 4096.
        interactions: Number w of fields of each record, those of the largest
            |effect|, whose pairs have `pair_effects`, at the cost of w(w+1)/2
            times as many predictions as the background has records; 8 is a fair
            number. Defaults to 0: no pair effects but those of `fit_effects`, of
            all pairs, if the model has them and there is no background.
        labels: Whether each record was clicked, (B,) or (B, 1) of 0 and 1, which the page shows
            beside the prediction. Defaults to `None`: not known.

    Returns:
        The `Explanation`.

    Raises:
        ValueError: If there are no records, or they do not follow the schema, or the model
            predicts what is no number for one, or the values'
            shape is not (B, C + N + V), or there are more or fewer labels, or contributions
            are against an average record that the model was not given, or interactions are
            asked for of fewer than two fields, or without a background of a model that
            does not estimate them.
    """
    schema = model.schema
    # Without the folds of training records: explained is what the model says in use.
    inputs = {kind: np.asarray(inputs[kind]) for kind in schema.columns if kind in inputs}
    schema.check(inputs)
    rows = len(next(iter(inputs.values())))
    values = plain_values(schema, inputs) if values is None else given_values(values)
    if values.shape != (rows, len(schema.record_fields)):
        raise DataError(f"values must be {(rows, len(schema.record_fields))}, got {values.shape}")
    if rows == 0:
        raise SettingError("there are no records to explain; give one at least")
    if labels is not None:
        labels = np.asarray(labels).reshape(-1)  # Keras has (B, 1)
        if len(labels) != rows:
            raise DataError(f"needs a label for each of {rows} records, got {len(labels)}")
    joined: dict[str, Any] = explain_inputs(model, inputs, batch_size, return_heads=heads)
    if wrong := np.count_nonzero(~np.isfinite(joined["logits"])):
        raise DataError(
            f"{wrong} of {rows} logits are not finite: the model has diverged; train it again, at "
            f"a lower learning rate"
        )
    joined["attention"] = getattr(model, "diagnosis", {}).get("attention")
    joined["calibration"] = getattr(model, "calibration", None)
    if background is not None:
        joined |= _exact_effects(model, inputs, background, interactions)
    elif interactions and "pair_effects" not in joined:
        raise SettingError("interactions are against other records: give a background")
    elif "effects" in joined:
        joined["effect_fidelity"] = model.diagnosis.get("effects")
    if "pair_effects" in joined and "pairs" not in joined:
        joined["pairs"] = np.tile(pair_positions(schema), (rows, 1, 1))  # (B, pairs, 2)
    joined["unknown"] = unknown_values(schema, inputs)
    joined["labels"] = labels
    joined["hashed"] = tuple(f.name for f in schema.record_fields if f.hash_size is not None)
    of_values = schema.columns.get(MULTIVALUED, [])
    joined["value_fields"] = tuple(schema.record_fields[place].name for place in of_values)
    return Explanation(schema.field_names, with_crossed_values(schema, inputs, values), **joined)


def _exact_effects(
    model: keras.Model, inputs: Batch, background: Batch, interactions: int
) -> dict[str, np.ndarray | None]:
    """Returns what takes the place of effects that the model estimates."""
    effects, pairs, pair_effects = occlusion(model, inputs, background), None, None
    if interactions:
        pairs, pair_effects = pairs_within(model, inputs, background, effects, interactions)
    found = {"effects": effects, "pairs": pairs, "pair_effects": pair_effects}
    if model.schema.multivalued:
        found["value_effects"] = value_effects(model, inputs)
    return found
