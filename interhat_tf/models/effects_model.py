"""What lets a model hold an effect head: what the head reads, and where it is saved."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from interhat_tf.errors import SettingError
from interhat_tf.layers import EffectHead
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch
from interhat_tf.utils.config import ConfigFromSignature
from interhat_tf.utils.files import read_json, write_json

_FILE = "effect_head.json"


class Description(NamedTuple):
    """What a model tells an effect head of records."""

    logits: Tensor  # (B, 1)
    fields: Tensor  # a vector of each field by itself, (B, m, d)
    summary: Tensor  # what was computed of the whole record, (B, c)


class EffectsModel(ConfigFromSignature, keras.Model):
    """A model that may hold an `EffectHead`, which `explanation.fit_effects` gives it.

    The head is saved and loaded with the model, but is no part of it otherwise:
    its weights are not among the model's, nor are its arguments in the
    configuration. It speaks of the weights that it was fitted on.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    diagnosis: dict[str, Any]
    _effect_head: EffectHead | None = None

    @property
    def effect_head(self) -> EffectHead | None:
        """The head of `hold_effects`, if there is one."""
        return self._effect_head

    def field_vectors(self, inputs: Batch) -> Tensor:
        """Returns what the model has of each field by itself, (B, m, d).

        These are the embeddings. A model that has none, or more than them,
        says here what it has.
        """
        return self.embedding(inputs)

    def describe(self, inputs: Batch) -> Description:
        """Returns the logits of records, and what an effect head reads of them.

        A model that computes more of a record than its logit may add that to the
        summary.
        """
        logits = self(inputs)  # (B, 1)
        return Description(logits, self.field_vectors(inputs), logits)

    def explain_effects(self, inputs: Batch) -> dict[str, Tensor]:
        """Returns the prediction and what adds to it, from one forward pass.

        Args:
            inputs: As for calling the model.

        Returns:
            Dictionary of `logits`, (B,), and what the head estimates: `effects`,
            (B, m), fields in the order of `schema.field_names`, and `pair_effects`,
            (B, pairs), in the order of `field_groups(schema, 2)`, if it has these.

        Raises:
            ValueError: If the model holds no head.
        """
        if self.effect_head is None:
            raise SettingError("this model has no effects yet: call fit_effects(model, data) first")
        self.check_inputs(inputs)
        found = self.describe(inputs)
        effects = self.effect_head(found.fields, found.summary)
        return {"logits": found.logits[:, 0], **effects}

    def make_effect_head(self, config: Mapping[str, Any]) -> EffectHead:
        """Returns a new head for this model, built.

        Args:
            config: Arguments of `EffectHead`. Its type is that of the logits by default.
        """
        described = self.describe(self.symbolic_inputs())
        head = EffectHead.from_config({"dtype": described.logits.dtype, **config})
        head.build(described.fields.shape, described.summary.shape)
        return head

    def hold_effects(self, head: EffectHead, fidelity: Mapping[str, Any]) -> None:
        """Takes in a head that was fitted to the model, in place of an earlier one.

        Args:
            head: The head.
            fidelity: How well it was found to estimate exact effects, as plain
                data. It is the `diagnosis`'s entry `effects` from now on.
        """
        # Keras' own `__setattr__` would make it a layer of the model.
        object.__setattr__(self, "_effect_head", head)
        self.diagnosis = {**self.diagnosis, "effects": dict(fidelity)}

    def drop_effects(self) -> None:
        """Drops the head; called when the model's weights change."""
        object.__setattr__(self, "_effect_head", None)
        self.diagnosis = {k: found for k, found in self.diagnosis.items() if k != "effects"}

    def save_assets(self, dir_path: str) -> None:
        """Writes the head's arguments, for Keras' `save`, which finds its weights itself."""
        if self.effect_head is not None:
            write_json(pathlib.Path(dir_path) / _FILE, self.effect_head.get_config())

    def load_assets(self, dir_path: str | None) -> None:
        """Makes the head, for Keras' `load_model`, which then gives it its weights."""
        if dir_path and (path := pathlib.Path(dir_path) / _FILE).exists():
            object.__setattr__(self, "_effect_head", self.make_effect_head(read_json(path)))
