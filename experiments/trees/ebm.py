"""The Explainable Boosting Machine: an additive model of single fields and of chosen pairs."""

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier

from experiments.trees.records import Records, categorical_columns
from interhat_tf.schema import Schema
from interhat_tf.utils.threads import number_of_threads


class EBM:
    """The EBM of the package interpret: logit = sum_j f_j(x_j) + sum_(i, j) f_ij(x_i, x_j).

    Each f is a table, boosted by small trees; the pairs are those that explain most of what the
    fields alone leave over: https://interpret.ml/docs/ebm.html. Training ends by the logloss on
    validation, as for all models of the table, so there is one bag, of all training records.

    Args:
        schema: What a record is.
        interactions: Number of pairs.
        learning_rate: Factor of each tree.
        max_leaves: Leaves of a tree over one field.
        min_samples_leaf: Records that a leaf has at least.
        min_cat_samples: Records of a value below which it is split together with others.
        cat_smooth: What is added to a value's records before values are ordered.
        reg_lambda: L2 penalty on the leaves' values.
        smoothing_rounds: First rounds, whose splits are random.
        greedy_ratio: Trees that go to the f with the most gain, for each that all get in turn.
        max_epochs: Boosting rounds, at most, of one tree an f; first of the fields, then of the
            pairs.
        patience: Rounds without less logloss on validation after which either ends.
    """

    def __init__(
        self,
        schema: Schema,
        interactions: int = 10,
        learning_rate: float = 0.015,
        max_leaves: int = 2,
        min_samples_leaf: int = 4,
        min_cat_samples: int = 10,
        cat_smooth: float = 10.0,
        reg_lambda: float = 0.0,
        smoothing_rounds: int = 75,
        greedy_ratio: float = 10.0,
        max_epochs: int = 50_000,
        patience: int = 100,
    ):
        categories = set(categorical_columns(schema))
        kinds = ["nominal" if i in categories else "continuous" for i in range(len(schema.fields))]
        self.settings = {
            "feature_names": list(schema.field_names),
            "feature_types": kinds,
            "outer_bags": 1,
            "n_jobs": number_of_threads(),
            "interactions": interactions,
            "learning_rate": learning_rate,
            "max_leaves": max_leaves,
            "min_samples_leaf": min_samples_leaf,
            "min_cat_samples": min_cat_samples,
            "cat_smooth": cat_smooth,
            "reg_lambda": reg_lambda,
            "smoothing_rounds": smoothing_rounds,
            "interaction_smoothing_rounds": smoothing_rounds,
            "greedy_ratio": greedy_ratio,
            "max_rounds": max_epochs,
            "early_stopping_rounds": patience,
        }

    def fit(self, training: Records, validation: Records, seed: int) -> None:
        """Learns from training records until validation gains no more."""
        fields, labels = (np.concatenate(parts) for parts in zip(training, validation, strict=True))
        bag = np.repeat(np.array([1, -1], "int8"), [len(training[1]), len(validation[1])])  # (n,)
        self.model = ExplainableBoostingClassifier(**self.settings, random_state=seed)
        self.model.fit(fields, labels.astype(int), bags=bag[:, np.newaxis])

    @property
    def epochs(self) -> int:
        """Trees that were grown, over fields and pairs, the last ones without gain."""
        return int(self.model.best_iteration_.sum())

    # interpret does not say which of them was the best.
    best_epoch = epochs

    def count_params(self) -> int:
        """Returns the number of entries of the tables."""
        return 1 + sum(table.size for table in self.model.term_scores_)

    def logits(self, fields: np.ndarray) -> np.ndarray:
        """Returns the logits of records, (n,).

        Args:
            fields: Their fields as `records.matrix` has them, (n, m).
        """
        return self.model.decision_function(fields)

    def contributions(self, fields: np.ndarray) -> np.ndarray:
        """Returns what each table adds to the logit, the last one the intercept: (n, terms + 1)."""
        terms = self.model.eval_terms(fields)  # (n, terms)
        return np.pad(terms, [(0, 0), (0, 1)], constant_values=float(self.model.intercept_[0]))
