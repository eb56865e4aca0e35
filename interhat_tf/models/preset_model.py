"""Builds InterHAt in one of its named forms."""

from collections.abc import Mapping
from typing import Any, Self

from interhat_tf.models.explaining_model import ExplainingModel
from interhat_tf.models.presets import hyperparameters, needs_whole_batches
from interhat_tf.schema import Schema
from interhat_tf.utils.threads import prepare_for_microbatches


class PresetModel(ExplainingModel):
    """An `ExplainingModel` of which there are presets.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `ClickModel`, such as `pooling` and `numerical_embedding`.
    """

    @classmethod
    def from_preset(
        cls,
        preset: str,
        schema: Schema | Mapping[str, Any],
        dataset: str | None = None,
        rows: int | None = None,
        **arguments: Any,
    ) -> Self:
        """Builds one of the named forms of the model, with what it is trained with.

        The model's `training_settings` are the preset's: `training.train` takes
        them if it is given no others. If they have microbatches, and TensorFlow
        has not been at work in this process, it uses one thread an operation from
        now on; see `utils.threads`.

        Args:
            preset: `"paper"`, the printed equations with the printed penalty;
                `"paper_searched"`, with a penalty that was searched;
                `"released"`, the authors' code; or `"tuned"`, with larger sizes.
            schema: The record's `Schema`.
            dataset: Name of the data set that sizes, penalties and training
                settings are for, such as `"criteo"`; see `presets.DATASETS`.
                Defaults to `None`: as any other name, Frappe's sizes and
                penalties.
            rows: Number of training records, `data.num_rows("train")` of a
                prepared data set: all presets but `"released"` divide penalties
                by it, and batches fit it; see `presets.hyperparameters`. Defaults
                to `None`, the data set's in the paper's tables, Frappe's for any
                other name.
            **arguments: Arguments of `InterHAt`, which win over the preset's.

        Returns:
            The model.

        Raises:
            ValueError: If there is no such preset, or `rows` is less than 1.

        Example:

        >>> from interhat_tf import Field, InterHAt, Schema
        >>> schema = Schema([Field("user", "categorical", 9)])
        >>> model = InterHAt.from_preset("released", schema, dataset="criteo", order=2)
        >>> model.training_settings
        {'microbatch_size': 256, 'beta_2': 0.98}
        """
        schema = Schema.from_dict(schema) if isinstance(schema, Mapping) else schema
        defaults, training = hyperparameters(dataset, preset, rows=rows, schema=schema)
        arguments = {**defaults, **arguments}
        if "microbatch_size" in training and not needs_whole_batches(arguments):
            prepare_for_microbatches()
        model = cls(schema, **arguments)
        model.training_settings = training
        return model
