"""Why a model predicted what it did, record by record: weights, signed shares, plain words."""

import dataclasses
import functools
import html
import json
import types

import numpy as np

from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import explain_inputs, probability
from interhat_tf.schema import CATEGORICAL, NUMERICAL
from interhat_tf.utils.files import atomic_write

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """The explanation of B records, of m fields each, by a model of highest order k.

    Made by `explain_records`. A part of the records, `explanation[2:5]` or
    `explanation[[3]]`, is an `Explanation` as well.

    Args:
        field_names: Names of the fields in the model's order.
        values: Each record's values as readable text, (B, m).
        logits: Logits, (B,).
        bias: The logit of a record to which no field adds anything, (B,).
        order_weights: alpha_f of Equation 5, (B, k).
        field_weights: alpha_1 ... alpha_k of Equation 2, (B, k, m).
        contributions: Each field's share of the logit in each order, (B, k, m).
            Their sum and the bias are the logit.
        heads: Self-attention between fields, (B, h, m, m), rows being queries;
            `None` unless asked for.
        effects: What each field's own value adds to the logit, against the
            values of a background, (B, m), by `field_attribution.occlusion`;
            `None` unless asked for. Where fields decide jointly, weights and
            contributions may name one of them and effects name all.

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

    def __len__(self):
        return len(self.logits)

    def __getitem__(self, records):
        if isinstance(records, (int, np.integer)):
            records = [records]
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del parts["field_names"]
        parts = {name: None if part is None else part[records] for name, part in parts.items()}
        return Explanation(self.field_names, **parts)

    @functools.cached_property
    def probabilities(self):
        """Predicted probabilities of a click, (B,)."""
        return probability(self.logits)

    def interaction_sets(self):
        """Returns the fields that outweigh the rest, order by order (Section 3.5).

        A field of order i does so if its weight in alpha_i is at least half of
        the row's highest and at least twice the 1/m of a uniform row; where
        fields are few, half-way from 1/m to the 1/i of i fields that share the
        row is enough. The i highest of them are kept, since an interaction of
        order i has i fields. The paper gives no rule, and reads its pictures by
        eye.

        Returns:
            For each record a list of k tuples of field names, the heaviest
            first; an order in which no field stands out has an empty one.
        """
        k, m = self.field_weights.shape[1:]
        places = np.argsort(-self.field_weights, axis=-1, kind="stable")  # (B, k, m)
        weights = np.take_along_axis(self.field_weights, places, axis=-1)  # (B, k, m)
        sharing = np.minimum(np.arange(1, k + 1), max(m - 1, 1))  # (k,)
        least = np.minimum(2 / m, (1 / m + 1 / sharing) / 2)[:, np.newaxis]  # (k, 1)
        stands_out = (weights >= least) & (weights >= weights[..., :1] / 2)  # (B, k, m)
        return [
            [
                tuple(
                    self.field_names[j]
                    for j in places[record, i, : i + 1][stands_out[record, i, : i + 1]]
                )
                for i in range(k)
            ]
            for record in range(len(self))
        ]

    def sentences(self):
        """Returns what each record's explanation is in plain words.

        The order with the largest weight, its interaction set, and how the set
        moves the click probability: from what the logit would be without the
        contributions of the set's fields, in any order, to what it is.
        """
        return [self._sentence(record, sets) for record, sets in enumerate(self.interaction_sets())]

    def _sentence(self, record, sets):
        order = int(self.order_weights[record].argmax())
        name = ORDINALS[order] if order < len(ORDINALS) else f"{order + 1}th"
        weight, after = self.order_weights[record, order], self.probabilities[record]
        start = f"{name} order dominates ({weight:.2f})"
        if not sets[order]:
            return f"{start}, but no field stands out; click probability {after:.2f}"
        places = [self.field_names.index(field) for field in sets[order]]
        without = self.logits[record] - self.contributions[record][:, places].sum()
        before = probability(without)
        verb = "raises" if after >= before else "lowers"
        fields = " × ".join(self.label(record, place) for place in places)
        return f"{start}: {fields}; {verb} the click probability from {before:.2f} to {after:.2f}"

    def label(self, record, field):
        """Returns a field and its value in a record, `user = 7`; one of the two if they agree."""
        name, value = self.field_names[field], str(self.values[record, field])
        return value if value in (name, f"not {name}") else f"{name} = {value}"

    def to_frame(self):
        """Returns a `pandas.DataFrame` with a row for each record, order and field."""
        import pandas as pd

        shape = self.field_weights.shape  # (B, k, m)
        record, order, field = (places.ravel() for places in np.indices(shape))
        effects = {} if self.effects is None else {"effect": self.effects[record, field]}
        return pd.DataFrame(
            {
                "record": record,
                "order": order + 1,
                "field": np.array(self.field_names, object)[field],
                "value": self.values[record, field],
                "order_weight": self.order_weights[record, order],
                "field_weight": self.field_weights.ravel(),
                "contribution": self.contributions.ravel(),
                **effects,
                "probability": self.probabilities[record],
            }
        )

    def to_dict(self):
        """Returns all of it in lists, texts and numbers, for JSON; a dictionary a record."""
        sets, sentences = self.interaction_sets(), self.sentences()
        records = [
            {
                "probability": float(self.probabilities[i]),
                "logit": float(self.logits[i]),
                "bias": float(self.bias[i]),
                "sentence": sentences[i],
                "values": dict(zip(self.field_names, self.values[i].tolist(), strict=True)),
                "order_weights": _rounded(self.order_weights[i]),
                "field_weights": _rounded(self.field_weights[i]),
                "contributions": _rounded(self.contributions[i]),
                "interaction_sets": [list(fields) for fields in sets[i]],
                **{
                    name: _rounded(part[i])
                    for name, part in (("heads", self.heads), ("effects", self.effects))
                    if part is not None
                },
            }
            for i in range(len(self))
        ]
        return {"field_names": list(self.field_names), "records": records}

    def to_json(self, path=None):
        """Returns `to_dict` as JSON, or writes it to a file, all of it or nothing."""
        text = json.dumps(self.to_dict(), ensure_ascii=False)
        if path is None:
            return text
        with atomic_write(path) as file:
            file.write(text.encode())
        return None

    def to_html(self, path, title="Explanations", about=""):
        """Writes a self-contained page to look into the records; see `explanation_page`.

        Args:
            path: The file.
            title: Title of the page.
            about: A line under it.
        """
        from interhat_tf.explanation.html_page import write_page

        write_page(self, path, title, about)

    def plot(self, record=0, **options):
        """Draws a record's heat map, in the layout of the paper's Figures 5 to 7.

        Args:
            record: Number of the record.
            **options: Arguments of `heatmaps.attention_heatmap`.

        Returns:
            A `matplotlib.figure.Figure`.
        """
        from interhat_tf.explanation.heatmap import attention_heatmap

        one = types.SimpleNamespace(
            field_names=self.field_names,
            field_weights=self.field_weights[record],
            order_weights=self.order_weights[record],
        )
        options = {"title": self.sentences()[record], "values": self.values[record], **options}
        return attention_heatmap(one, **options)

    def _repr_html_(self):
        """Returns a table for notebooks: each record's sentence and what counts most in it.

        These are effects if there are any, and contributions otherwise.
        """
        kind, shown = "contributions", self.contributions.sum(axis=1)  # (B, m)
        if self.effects is not None:
            kind, shown = "effects", self.effects
        rows = []
        for i, sentence in enumerate(self.sentences()[:10]):
            largest = np.argsort(-np.abs(shown[i]))[:5]
            shares = ", ".join(f"{self.label(i, j)} ({shown[i, j]:+.2f})" for j in largest)
            rows.append(
                f"<tr><td>{i}</td><td>{self.probabilities[i]:.3f}</td>"
                f"<td>{html.escape(sentence)}</td><td>{html.escape(shares)}</td></tr>"
            )
        more = f"<p>… and {len(self) - 10:,} more records</p>" if len(self) > 10 else ""
        return (
            "<table><thead><tr><th></th><th>probability</th><th>in words</th>"
            f"<th>largest {kind} on the logit</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{more}"
        )


def explain_records(model, inputs, values=None, heads=False, background=None, batch_size=4096):
    """Explains records.

    Args:
        model: An `InterHAt`, or another model with `schema` and such an `explain`.
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N), as
            the model takes it.
        values: Each record's values as readable text, (B, m), in the order of
            `schema.field_names`, as `PreparedDataset.decode` returns them.
            Defaults to the ids and numbers.
        heads: Whether the self-attention maps are kept, h * m * m numbers a
            record. Defaults to `False`.
        background: Inputs of records that stand for the data, some tens of
            them; with it the explanation has `effects`, at the cost of m times
            as many predictions a record as it has records. Defaults to `None`.
        batch_size: Records that are explained at a time.

    Returns:
        The `Explanation`.

    Raises:
        ValueError: If the records do not follow the schema, or the values'
            shape is not (B, m).
    """
    schema = model.schema
    inputs = {kind: np.asarray(array) for kind, array in inputs.items()}
    rows = len(next(iter(inputs.values())))
    values = _plain_values(schema, inputs) if values is None else np.asarray(values, object)
    if values.shape != (rows, len(schema.fields)):
        raise ValueError(f"values must be {(rows, len(schema.fields))}, got {values.shape}")
    joined = explain_inputs(model, inputs, batch_size, return_heads=heads)
    if background is not None:
        background = {kind: np.asarray(array) for kind, array in background.items()}
        schema.check(background)
        joined["effects"] = occlusion(model, inputs, background)
    return Explanation(schema.field_names, values, **joined)


def _plain_values(schema, inputs):
    columns = []
    for kind in (CATEGORICAL, NUMERICAL):
        if kind in inputs:
            columns += [[f"{value:g}" for value in column] for column in inputs[kind].T]
    return np.array(columns, object).T  # (B, m)


def _rounded(array):
    return np.round(np.asarray(array, "float64"), 6).tolist()
