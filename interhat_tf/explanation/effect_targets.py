"""What an effect head learns from: how logits change when fields take other records' values."""

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.schema import FOLD, Batch

KINDS = ("occlusion", "shapley")

Target = tuple[str, tf.Tensor, tf.Tensor]
"""Name of the head's output, which of its numbers learns, (B,), and what it should be, (B,)."""


class EffectTargets:
    """Draws what an effect head should say of records, without bias, from few predictions.

    Each record x has one donor b, whose values the fields that change take. With
    f the logit and x_T the record with the donor's values in the fields of T,

        occlusion  phi_i = f(x) - f(x_i)
                   psi_ij = f(x) - f(x_i) - f(x_j) + f(x_ij)
        shapley    phi_i = f(x_{T without i}) - f(x_T)

    for a random field i and another one j; in the Shapley form T is i and all
    fields behind it in a random order. The means over the donors, and over the
    orders, are the effects that `occlusion`, `pair_effects` and
    `sampled_shapley_values` estimate.

    A cross changes with its fields. In the first form it has an effect of its own,
    that of all of its fields together; in the second its effect is shared among
    them, and nothing is drawn for it.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        kind: `"occlusion"` or `"shapley"`.
        pairs: Whether there are targets of pairs, for `"occlusion"` alone.
        seed: Seed of what is drawn.
    """

    def __init__(self, model: keras.Model, kind: str, pairs: bool, seed: int):
        self.model, self.kind, self.pairs = model, kind, pairs
        schema = model.schema
        names = [field.name for field in schema.record_fields]
        self.num_fields = len(names)
        places = [schema.field_names.index(name) for name in names]
        self.places = tf.constant(places)  # of a record's fields among the model's, (fields,)
        self.columns = schema.columns
        self.first_cross = len(schema.categorical)
        in_cross = [[name in cross.fields for name in names] for cross in schema.crosses]
        self.in_cross = np.array(in_cross, bool)  # (crosses, fields)
        numbers = np.zeros((len(names), len(names)), "int32")
        one, other = np.triu_indices(len(names), 1)
        numbers[one, other] = numbers[other, one] = np.arange(len(one))
        self.pair_numbers = tf.constant(numbers)  # (fields, fields)
        self.generator = tf.random.Generator.from_seed(seed)

    def draw(self, inputs: Batch, logits: tf.Tensor) -> list[Target]:
        """Returns targets for records, which are in a random order.

        Args:
            inputs: The records, at least two.
            logits: Their logits, (B,).
        """
        uniform = self.generator.uniform((tf.size(logits), self.num_fields))
        order = tf.argsort(uniform, axis=1)  # the fields, shuffled, (B, fields)
        return (self._shapley if self.kind == "shapley" else self._occlusion)(inputs, logits, order)

    def _occlusion(self, inputs: Batch, logits: tf.Tensor, order: tf.Tensor) -> list[Target]:
        fields = [order[:, i] for i in range(2 if self.pairs else 1)]  # (B,) each
        masks = [tf.one_hot(field, self.num_fields, True, False) for field in fields]
        outputs = [tf.gather(self.places, field) for field in fields]  # (B,) each
        if len(self.in_cross):
            cross = self._integers(tf.size(logits), len(self.in_cross))  # (B,)
            masks.append(tf.gather(self.in_cross, cross))
            outputs.append(self.first_cross + cross)
        if self.pairs:
            masks.append(masks[0] | masks[1])
        without = self._logits(inputs, masks)
        targets = [
            ("effects", output, logits - changed)
            for output, changed in zip(outputs, without[: len(outputs)], strict=True)
        ]
        if self.pairs:
            pair = tf.gather_nd(self.pair_numbers, tf.stack(fields, axis=1))  # (B,)
            together = logits - without[0] - without[1] + without[-1]  # (B,)
            targets.append(("pair_effects", pair, together))
        return targets

    def _shapley(self, inputs: Batch, logits: tf.Tensor, order: tf.Tensor) -> list[Target]:
        position = tf.argsort(order, axis=1)  # of each field in the order, (B, fields)
        chosen = self._integers(tf.size(logits), self.num_fields)[:, None]  # (B, 1)
        behind, without = self._logits(inputs, [position > chosen, position >= chosen])
        field = tf.gather(order, chosen, batch_dims=1)[:, 0]  # (B,)
        return [("effects", tf.gather(self.places, field), behind - without)]

    def _integers(self, rows: tf.Tensor, limit: int) -> tf.Tensor:
        return self.generator.uniform([rows], maxval=limit, dtype=tf.int32)

    def _logits(self, inputs: Batch, masks: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the logits, (B,) each, with the donors' values where the masks, (B, fields), are.

        They go through the model together.
        """
        changed = {}
        for kind, places in self.columns.items():
            values = inputs[kind]
            # The records' order is random, so that the one before is as good as any.
            donors = tf.roll(values, 1, axis=0)
            of_kind = [tf.where(tf.gather(mask, places, axis=1), donors, values) for mask in masks]
            changed[kind] = tf.concat(of_kind, axis=0)  # (masks * B, columns of the kind)
        if FOLD in inputs:
            changed[FOLD] = tf.tile(inputs[FOLD], [len(masks)])
        return tf.split(self.model(changed)[:, 0], len(masks))
