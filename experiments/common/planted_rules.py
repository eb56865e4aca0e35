"""The planted rules of the synthetic data: what is to be found, and how well it can be."""

import dataclasses


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
    """

    title: str
    group: tuple
    num_values: int
    order: int
    best_auc: float
    figure: str | None = None


def best_auc(matches: float, p1: float = 0.9, p2: float = 0.2) -> float:
    """Returns the AUC of the true probabilities if `matches` of all records match the rule."""
    positive = matches * p1 / (matches * p1 + (1 - matches) * p2)
    negative = matches * (1 - p1) / (matches * (1 - p1) + (1 - matches) * (1 - p2))
    return 0.5 + (positive - negative) / 2


PLANTED_RULES = {
    "rule_1": Rule("Rule 1, Figure 8", (1,), 10, 3, best_auc(1 / 10), "figure_8"),
    "rule_2": Rule("Rule 2, Figure 9", (3, 4), 10, 3, best_auc(1 / 100), "figure_9"),
    "rule_2_dense": Rule("Rule 2, dense", (3, 4), 3, 3, best_auc(1 / 9)),
    "rule_3": Rule("Rule 3, Figure 10", (5, 6, 7), 10, 4, best_auc(1 / 1000), "figure_10"),
    "rule_3_dense": Rule("Rule 3, dense", (5, 6, 7), 3, 4, best_auc(1 / 27), "rule_3_dense"),
}

# What is tried so that attention finds more: the printed equations, and weights that a
# penalty on the aggregations' W and b keeps from settling on single fields.
FORMS = {
    "released": {"preset": "released"},
    "paper": {"preset": "paper"},
    "flatter": {"preset": "released", "aggregation_l2": 1e-2},
}


def condition(rule: Rule) -> str:
    """Returns the condition that a record matches a rule, as `--heatmap_where` takes it."""
    return ",".join(f"f{i}=b{(i - 1) % rule.num_values + 1}" for i in rule.group)
