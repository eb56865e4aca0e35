"""The planted rules of the synthetic data: what is to be found, and how well it can be."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

P1, P2 = 0.9, 0.2
"""Probability of a click where a rule matches, and elsewhere."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A planted rule, and the figure of the paper that shows it.

    Args:
        title: What the page calls it.
        group: Numbers of the planted fields.
        num_values: Number of values of each field.
        order: Highest order k of the model.
        best_auc: AUC of the true probabilities, over all records that could be.
        figure: Name of the picture that `experiments.paper.figures_8_to_10` draws, if it does.
        groups: The planted fields that interact, where they are not one group.
        training: Flags of `experiments.train` without which models do not learn the rule as it is.
        shares: Shares of the orders 1 to 3, as `order_shares` has them, in the true log-odds where
            the rule matches. By default those of groups of which each adds the same amount.
    """

    title: str
    group: tuple
    num_values: int
    order: int
    best_auc: float
    figure: str | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    shares: tuple[float, ...] = ()

    def interacting(self) -> tuple[tuple[int, ...], ...]:
        """Returns the groups of fields that the rule is made of."""
        return self.groups or (self.group,)

    def true_shares(self) -> np.ndarray:
        """Returns the shares of the orders 1 to 3, (3,).

        Example:

        >>> Rule("f1, and f3 with f4", (1, 3, 4), 9, 3, 0.8, groups=((1,), (3, 4))).true_shares()
        array([0.5, 0.5, 0. ])
        """
        groups = self.interacting()
        of_groups = np.bincount([len(group) for group in groups], minlength=4)[1:] / len(groups)
        return np.array(self.shares or of_groups)

    def of_order(self) -> int | None:
        """Returns how many fields decide together, `None` if that differs between the groups."""
        sizes = {len(group) for group in self.interacting()}
        return sizes.pop() if len(sizes) == 1 else None


def best_auc(shares: Sequence[float], probabilities: Sequence[float]) -> float:
    """Returns the AUC of the true probabilities.

    Args:
        shares: Shares of the records that have each probability.
        probabilities: Their probabilities of a click, falling.

    Example:

    >>> best_auc([0.5, 0.5], [1.0, 0.0])
    1.0
    """
    clicks = np.multiply(shares, probabilities)
    others = np.subtract(shares, clicks)
    behind = others.sum() - np.cumsum(others)  # of no click, with a smaller probability
    return float(clicks @ (behind + others / 2) / clicks.sum() / others.sum())


def _matching(share: float) -> float:
    """Returns the best AUC if a share of the records matches one rule."""
    return best_auc([share, 1 - share], [P1, P2])


# Of a record that matches both groups of the mixture the log-odds are twice as far from P2's.
_ODDS = P1 / (1 - P1) / (P2 / (1 - P2))
_BOTH = P1 * _ODDS / (1 - P1 + P1 * _ODDS)
_MIXTURE = best_auc([1 / 27, 8 / 27 + 2 / 27, 16 / 27], [_BOTH, P1, P2])

# 1 record in 1,000 matches: validation's AUC is blind to it, and embeddings learn the noise of all
# other values first. With a small penalty they do not, and the rule shows after tens of epochs.
_RARE = {
    "preset": "paper",
    "embedding_l2": 5e-4,
    "criterion": "logloss",
    "learning_rate_factor": 1.0,
    "patience": 40,
    "max_epochs": 80,
}

# A rate that falls where validation's AUC stands still leaves a model where it joins both groups
# to a triple: what a record that matches both has beyond 0.98, no ranking shows.
_STEADY = {"criterion": "logloss", "learning_rate_factor": 1.0, "patience": 10, "max_epochs": 40}

PLANTED_RULES = {
    "rule_1": Rule("Rule 1, Figure 8", (1,), 10, 3, _matching(1 / 10), "figure_8"),
    "rule_2": Rule("Rule 2, Figure 9", (3, 4), 10, 3, _matching(1 / 100), "figure_9"),
    "rule_2_middle": Rule("Rule 2, 1 in 25", (3, 4), 5, 3, _matching(1 / 25)),
    "rule_2_dense": Rule("Rule 2, dense", (3, 4), 3, 3, _matching(1 / 9)),
    "rule_2_correlated": Rule("Rule 2, correlated", (3, 4), 3, 3, _matching(1 / 18)),
    "rule_3": Rule(
        *("Rule 3, Figure 10", (5, 6, 7), 10, 4, _matching(1 / 1000), "figure_10"),
        training=_RARE,
    ),
    "rule_3_dense": Rule("Rule 3, dense", (5, 6, 7), 3, 4, _matching(1 / 27), "rule_3_dense"),
    # Either field alone takes away what makes a record match, both add it twice: 1² + 1² to 2².
    "parity": Rule("Parity", (3, 4), 2, 3, _matching(1 / 2), shares=(1 / 3, 2 / 3, 0.0)),
    "mixture": Rule(
        *("Orders 1 and 2", (1, 3, 4), 3, 3, _MIXTURE),
        groups=((1,), (3, 4)),
        training=_STEADY,
    ),
}

# The form whose order weights are aligned.
ORDERED = "ordered"
# How they are aligned at falling rates after the training, which is over before weights that began
# on another order have left it: in many steps, of few records each.
LAST_PHASE = {"order_weight": 0.05, "epochs": 6, "batch_size": 128}

# What is tried so that attention finds more: weights that are pulled to the effects, or those of
# the orders to their shares, the printed equations, and weights that a penalty on the
# aggregations' W and b keeps from settling on single fields. And `tuned` as it comes, in its two
# orders whatever the rule's is, with its alignment after the best epoch and without.
FORMS = {
    "released": {"preset": "released"},
    "aligned": {"preset": "released", "effect_weight": 0.05},
    ORDERED: {"preset": "released", "order_weight": 0.05},
    "paper": {"preset": "paper"},
    "flatter": {"preset": "released", "aggregation_l2": 1e-2},
    "tuned": {"preset": "tuned", "order": 2},
    "tuned_plain": {"preset": "tuned", "order": 2, "effect_weight": 0.0},
}


def condition(rule: Rule) -> str:
    """Returns the condition that a record matches a rule, as `--heatmap_where` takes it.

    Of parity it is one of the matching pairs of values.
    """
    return ",".join(f"f{i}=b{(i - 1) % rule.num_values + 1}" for i in rule.group)
