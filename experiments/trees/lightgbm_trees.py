"""LightGBM: gradient boosted trees that split categories without an encoding."""

import lightgbm
import numpy as np

from experiments.trees.records import Records, categorical_columns
from interhat_tf.schema import Schema
from interhat_tf.utils.threads import number_of_threads


class LightGBM:
    """LightGBM's boosted trees; the round with the least logloss on validation counts.

    A split of a categorical field parts its values in two sets, which are found along the
    values' order by gradient: https://lightgbm.readthedocs.io/en/stable/Features.html.

    Args:
        schema: What a record is.
        num_leaves: Leaves of a tree.
        learning_rate: Factor of each tree.
        min_data_in_leaf: Records that a leaf has at least.
        feature_fraction: Share of the fields that a tree may use, drawn for each tree.
        bagging_fraction: Share of the records that a tree learns from, drawn for each tree.
        lambda_l2: L2 penalty on the leaves' values.
        cat_smooth: Records without a click that are added to a value before values are ordered.
        cat_l2: L2 penalty in addition where a split is one of categories.
        max_cat_threshold: Values on the smaller side of a split of categories, at most.
        max_epochs: Trees, at most. Each is a pass over the training records.
        patience: Trees without less logloss on validation after which training ends.
    """

    def __init__(
        self,
        schema: Schema,
        num_leaves: int = 31,
        learning_rate: float = 0.1,
        min_data_in_leaf: int = 20,
        feature_fraction: float = 1.0,
        bagging_fraction: float = 1.0,
        lambda_l2: float = 0.0,
        cat_smooth: float = 10.0,
        cat_l2: float = 10.0,
        max_cat_threshold: int = 32,
        max_epochs: int = 10_000,
        patience: int = 50,
    ):
        self.schema = schema
        self.max_epochs, self.patience = max_epochs, patience
        self.settings = {
            "objective": "binary",
            "verbosity": -1,
            "num_threads": number_of_threads(),
            "num_leaves": num_leaves,
            "learning_rate": learning_rate,
            "min_data_in_leaf": min_data_in_leaf,
            "feature_fraction": feature_fraction,
            "bagging_fraction": bagging_fraction,
            "bagging_freq": int(bagging_fraction < 1),
            "lambda_l2": lambda_l2,
            "cat_smooth": cat_smooth,
            "cat_l2": cat_l2,
            "max_cat_threshold": max_cat_threshold,
        }

    def fit(self, training: Records, validation: Records, seed: int) -> None:
        """Learns from training records until validation has gained nothing for `patience` trees."""
        settings = {**self.settings, "seed": seed}
        fields = categorical_columns(self.schema)
        # LightGBM takes a free hand with the parameters of a data set that has none.
        train_set = lightgbm.Dataset(*training, categorical_feature=fields, params=settings)
        self.booster = lightgbm.train(
            settings,
            train_set,
            self.max_epochs,
            valid_sets=[train_set.create_valid(*validation)],
            callbacks=[lightgbm.early_stopping(self.patience, verbose=False)],
            keep_training_booster=True,  # with the trees after the best one, too
        )

    @property
    def epochs(self) -> int:
        """Trees that were grown."""
        return self.booster.current_iteration()

    @property
    def best_epoch(self) -> int:
        """Trees that count."""
        return self.booster.best_iteration

    def count_params(self) -> int:
        """Returns the number of leaves of the trees that count."""
        trees = self.booster.dump_model(num_iteration=self.best_epoch)["tree_info"]
        return sum(tree["num_leaves"] for tree in trees)

    def logits(self, fields: np.ndarray) -> np.ndarray:
        """Returns the logits of records, (n,).

        Args:
            fields: Their fields as `records.matrix` has them, (n, m).
        """
        return self.booster.predict(fields, raw_score=True)

    def contributions(self, fields: np.ndarray) -> np.ndarray:
        """Returns LightGBM's own TreeSHAP values, the last one the bias: (n, m + 1)."""
        return self.booster.predict(fields, pred_contrib=True)
