"""What the planted rules say of explanations: the page's tables of `faithfulness/planted`."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from experiments.common.markdown import interval
from experiments.common.planted_rules import P1, P2, PLANTED_RULES, Rule
from experiments.common.statistics import mean_interval, paired_difference, share_interval
from experiments.faithfulness.group_measures import PAIR_METHODS
from experiments.faithfulness.methods import METHODS
from experiments.report.blocks import Table
from experiments.report.cells import Summary, table

# The forms whose attention is compared, and how a table says so.
ALIGNED = "aligned"
SUFFIX = {
    "released": "",
    ALIGNED: ", aligned",
    "tuned_plain": ", `tuned` without its alignment",
    "tuned": ", `tuned`",
    "lightgbm": "",
    "ebm": "",
}
# Each aligned form, and the same without alignment.
PLAIN_FORM = {ALIGNED: "released", "tuned": "tuned_plain"}
# Rules whose best possible AUC is not above this are hardly learnt, so that nothing can be found.
LEARNABLE = 0.51
# A model has learnt a rule if it predicts more than this where the rule matches.
LEARNT = (P1 + P2) / 2

Planted = dict[tuple[str, str], Summary]
"""Summaries by rule and form."""


def runs_of(planted: Planted, form: str, rules: Iterable[str] | None = None) -> list[Summary]:
    """Returns a form's models on all rules that can be learnt, or on some, with their `rule`."""
    return [
        {**run, "rule": rule, "seed": seed}
        for rule in learnable(rules)
        if (rule, form) in planted
        for seed, run in planted[rule, form]["runs"].items()
    ]


def learnable(rules: Iterable[str] | None = None) -> list[str]:
    """Returns those of some rules, or of all, that can be learnt."""
    return [rule for rule in rules or PLANTED_RULES if PLANTED_RULES[rule].best_auc > LEARNABLE]


def counted(found: Sequence[bool]) -> str:
    """Returns a cell: how many of how many, and the Wilson interval of the share."""
    if not found:
        return "–"
    row = share_interval(found)
    return f"{row['found']} of {row['of']} [{row['low']:.0%}, {row['high']:.0%}]"


def averaged(values: Sequence[float], form: str = ".2f") -> str:
    """Returns a cell: a mean and its Student interval, of shares within 0 and 1."""
    if not values:
        return "–"
    row = mean_interval(values)
    mean, low, high = format(row["mean"], form), row["low"], row["high"]
    if low is None:
        return mean
    if form.endswith("%"):
        low, high = max(low, 0.0), min(high, 1.0)
    return f"{mean} [{low:{form}}, {high:{form}}]"


def fields_at_a_glance(planted: Planted) -> Table | None:
    """Returns the table of methods and questions on single fields."""
    rows = [
        {"form": form, "method": method, **pooled}
        for method in METHODS
        for form in SUFFIX
        if own(form, method) and (pooled := of_method(planted, form, "fields", method))
    ]

    def mean(key, form=".2f"):
        return lambda row: averaged([f[key] for f in row["found"] if key in f], form)

    columns = {
        "method": lambda row: METHODS[row["method"]].title + SUFFIX[row["form"]],
        "rules": "{rules}",
        "planted fields named": lambda row: counted([f["found"] for f in row["found"]]),
        "of single records": mean("share", ".0%"),
        "insertion − deletion": lambda row: averaged(
            [f["insertion"] - f["deletion"] for f in row["found"] if "insertion" in f]
        ),
        "ranks as exact effects": mean("effects"),
        "wrong sign": mean("wrong_signs", ".1%"),
        "other background": mean("background"),
        "untrained model": mean("untrained"),
        "seeds agree": lambda row: seeds_agree(planted, row["form"], row["method"]),
    }
    return table(columns, rows) if rows else None


def own(form: str, method: str) -> bool:
    """Returns whether a method has a row of its own for a form.

    Alignment changes what attention says; what asks the model is listed once, of trees what only
    they have.
    """
    if form in ("lightgbm", "ebm"):
        return method in ("tree_shap", "ebm")
    return form == "released" or method in ("attention", "contributions_average")


def of_method(planted: Planted, form: str, kind: str, method: str) -> Summary:
    """Returns what a method was `found` to say of each model that has it, and of how many `rules`.

    Nothing, if no model has it. Forms were not asked of the same rules.
    """
    runs = [run for run in runs_of(planted, form) if method in run.get(kind, {})]
    if not runs:
        return {}
    rules = len({run["rule"] for run in runs})
    return {"found": [run[kind][method] for run in runs], "rules": rules}


def seeds_agree(planted: Planted, form: str, method: str) -> str:
    """Returns the share of the top fields that two models of a rule have in common, on average."""
    shares = []
    for (rule, of_form), summary in planted.items():
        if of_form != form or PLANTED_RULES[rule].best_auc <= LEARNABLE:
            continue
        size = len(PLANTED_RULES[rule].group)
        tops = [
            set(np.argsort(-np.array(run["fields"][method]["means"]))[:size])
            for run in summary["runs"].values()
            if "means" in run["fields"].get(method, {})
        ]
        shares += [len(one & other) / size for one, other in itertools.combinations(tops, 2)]
    return f"{np.mean(shares):.0%}" if shares else "–"


def fields_by_rule(planted: Planted) -> Table | None:
    """Returns the table of how often each method names a rule's fields, a column a rule."""
    titles = {name: method.title for name, method in METHODS.items()}
    return by_rule(planted, "fields", titles, own)


def pairs_by_rule(planted: Planted) -> Table | None:
    """Returns the table of how often each method names a rule's pairs, a column a rule."""
    titles = {name: method.title for name, method in PAIR_METHODS.items()}
    return by_rule(planted, "pairs", titles, own_of_pairs)


def by_rule(
    planted: Planted, kind: str, titles: Mapping[str, str], has_row: Callable[[str, str], bool]
) -> Table | None:
    """Returns the table of how often methods name what is planted, a column a rule.

    Args:
        planted: The summaries.
        kind: What they say of it: `fields` or `pairs`.
        titles: What the page calls each method.
        has_row: Whether a form and a method have one.
    """

    def found(rule, form, method):
        runs = runs_of_all(planted, form, [rule])
        return [run[kind][method]["found"] for run in runs if method in run.get(kind, {})]

    rules = [
        rule for rule in PLANTED_RULES if any(found(rule, "released", method) for method in titles)
    ]
    rows = [
        {"form": form, "method": method}
        for method in titles
        for form in SUFFIX
        if has_row(form, method) and any(found(rule, form, method) for rule in rules)
    ]
    columns: dict[str, Callable[[Summary], str]] = {
        "method": lambda row: titles[row["method"]] + SUFFIX[row["form"]]
    }
    for rule in rules:
        columns[PLANTED_RULES[rule].title] = lambda row, rule=rule: counted(
            found(rule, row["form"], row["method"])
        )
    return table(columns, rows) if rows else None


def added_flags() -> list[str]:
    """Returns which rules add flags to a form's training, and these."""
    return [
        f"{rule.title} by `" + " ".join(f"--{k}={v}" for k, v in rule.training.items()) + "`"
        for rule in PLANTED_RULES.values()
        if rule.training
    ]


def runs_of_all(planted: Planted, form: str, rules: Iterable[str]) -> list[Summary]:
    """Returns a form's models on rules, those that can hardly be learnt among them."""
    return [
        run
        for rule in rules
        if (rule, form) in planted
        for run in planted[rule, form]["runs"].values()
    ]


def alignment(planted: Planted, form: str) -> Table | None:
    """Returns the table of what a form's alignment does to attention, and to AUC, rule by rule."""
    rows = []
    for rule in PLANTED_RULES:
        if pairs := paired(planted, rule, form):
            aligned, plain = attention_names(pairs)
            auc = paired_auc(planted, rule, form)
            title = PLANTED_RULES[rule].title
            rows.append({"title": title, "plain": plain, "aligned": aligned, "auc": auc})
    columns = {
        "rule": "{title}",
        "attention names its fields": lambda row: counted(row["plain"]),
        "aligned": lambda row: counted(row["aligned"]),
        "test AUC, aligned − plain": "{auc}",
    }
    return table(columns, rows) if rows else None


def paired(planted: Planted, rule: str, form: str) -> list[tuple[Summary, Summary]]:
    """Returns a form's models on a rule with the plain ones, of the seeds that both have."""
    forms = form, PLAIN_FORM.get(form, "released")
    own, plain = (planted.get((rule, f), {"runs": {}})["runs"] for f in forms)
    return [(own[seed], plain[seed]) for seed in own if "test" in plain.get(seed, {})]


def all_paired(planted: Planted, form: str) -> list[tuple[Summary, Summary]]:
    """Returns what `paired` does, of all rules that can be learnt."""
    return [pair for rule in learnable() for pair in paired(planted, rule, form)]


def attention_names(pairs: list[tuple[Summary, Summary]]) -> tuple[list[bool], list[bool]]:
    """Returns whether attention names the planted fields, of aligned models and of plain ones."""
    aligned, plain = zip(*pairs, strict=True)
    named = ([run["fields"]["attention"]["found"] for run in runs] for runs in (aligned, plain))
    return tuple(named)


def paired_auc(planted: Planted, rule: str, form: str) -> str:
    """Returns a cell: what a form's test AUC is above the plain one's, seed by seed."""
    pairs = paired(planted, rule, form)
    aucs = ([run["test"] for run in runs] for runs in zip(*pairs, strict=True))
    return interval(paired_difference(*aucs)) if pairs else "–"


def pairs_at_a_glance(planted: Planted) -> Table | None:
    """Returns the table of methods and questions on pairs of fields."""
    rows = []
    for method, form in itertools.product(PAIR_METHODS, SUFFIX):
        if not own_of_pairs(form, method):
            continue
        if pooled := of_method(planted, form, "pairs", method):
            rows.append({"title": PAIR_METHODS[method].title + SUFFIX[form], **pooled})

    def mean(key, form=".2f"):
        return lambda row: averaged([f[key] for f in row["found"] if key in f], form)

    columns = {
        "method": "{title}",
        "rules": "{rules}",
        "planted pairs named": lambda row: counted([f["found"] for f in row["found"]]),
        "of single records": mean("precision", ".0%"),
        "rank of the planted": mean("rank", ".1f"),
        "Kendall's τ with all coalitions": mean("tau"),
        "R² with all coalitions": mean("r2"),
    }
    return table(columns, rows) if rows else None


def own_of_pairs(form: str, method: str) -> bool:
    """Returns whether a method for pairs has a row of its own for a form, as `own` does."""
    if form in (ALIGNED, "tuned", "tuned_plain"):
        return method == "attention"
    return form == "released" or method == "ebm"


def learnt(run: Summary) -> bool:
    """Returns whether a model has learnt its rule."""
    return run.get("probability", {}).get("matching", 0) > LEARNT


def mean_weights(found: list[Summary], key: str) -> str:
    """Returns a cell: what orders weigh, order by order, in the mean over models."""
    return ", ".join(f"{weight:.2f}" for weight in np.mean([f[key] for f in found], axis=0))


def orders(planted: Planted, form: str) -> Table | None:
    """Returns the table of which order a form's models name, by the shares and by alpha_f."""
    rows = []
    for rule, of_rule in PLANTED_RULES.items():
        runs = asked_orders(planted, form, rule)
        if of_learnt := orders_learnt(runs):
            counts = {"of": len(runs), "auc": paired_auc(planted, rule, form)}
            rows.append({"rule": of_rule, "found": of_learnt, **counts})

    def named(key):
        return lambda row: (
            counted(names_order(row["rule"], row["found"], key)) if row["rule"].of_order() else "–"
        )

    def mean(key):
        return lambda row: mean_weights(row["found"], key)

    columns: dict[str, str | Callable[[Summary], str]] = {
        "rule": "{rule.title}",
        "planted order": lambda row: str(row["rule"].of_order() or "1 and 2"),
        "learnt by": lambda row: f"{len(row['found'])} of {row['of']}",
        "named by the shares": named("shares"),
        "named by α_f": named("alpha_f"),
        "mean shares": mean("shares"),
        "from the true shares": lambda row: averaged(
            [float(np.abs(f["shares"] - row["rule"].true_shares()).max()) for f in row["found"]]
        ),
        "mean α_f": mean("alpha_f"),
        "farthest apart": lambda row: averaged([apart(f) for f in row["found"]]),
    }
    if form != "released":
        columns["test AUC, aligned − plain"] = "{auc}"
    return table(columns, rows) if rows else None


def names_order(rule: Rule, orders_found: Sequence[Summary], key: str) -> list[bool]:
    """Returns which models' `shares`, or `alpha_f`, are largest for the order of a rule."""
    return [int(np.argmax(found[key])) + 1 == rule.of_order() for found in orders_found]


def orders_named(planted: Planted, form: str, key: str) -> list[bool]:
    """Returns which models of a form that have learnt a rule of one order name that order."""
    return [
        named
        for rule, of_rule in PLANTED_RULES.items()
        if of_rule.of_order()
        for named in names_order(of_rule, orders_learnt(asked_orders(planted, form, rule)), key)
    ]


def asked_orders(planted: Planted, form: str, rule: str) -> list[Summary]:
    """Returns a form's models on a rule that were asked for orders."""
    return [run for run in runs_of(planted, form, [rule]) if "orders" in run]


def orders_learnt(runs: Sequence[Summary]) -> list[Summary]:
    """Returns what models that have learnt their rule say of orders."""
    return [run["orders"] for run in runs if learnt(run)]


def apart(found: Summary) -> float:
    """Returns the largest distance of an order's weight from its share.

    Example:

    >>> apart({"shares": [1.0, 0.0, 0.0], "alpha_f": [0.9, 0.0, 0.04, 0.06]})
    0.1
    """
    shares, weights = (np.array(found[key]) for key in ("shares", "alpha_f"))
    size = max(len(shares), len(weights))
    padded = [np.pad(values, (0, size - len(values))) for values in (shares, weights)]
    return round(float(np.abs(padded[0] - padded[1]).max()), 4)


def triples(planted: Planted) -> str:
    """Returns in how many models exact triple effects name the planted triple."""
    found = [run["triple"]["found"] for run in runs_of(planted, "released") if "triple" in run]
    return counted(found) if found else ""
