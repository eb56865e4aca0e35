"""The page that says when InterHAt's explanations can be believed, and when not."""

import dataclasses
import pathlib

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import interval, spread
from experiments.common.planted_rules import ORDERED, PLANTED_RULES
from experiments.common.results import read_results
from experiments.faithfulness.group_measures import PAIR_METHODS
from experiments.faithfulness.methods import ALIGNMENT, METHODS
from experiments.report import agreement_tables, planted_tables
from experiments.report.blocks import Table, picture, without_frame, write_pages
from experiments.report.cells import Summary, named, set_of, table, title_of
from experiments.report.planted_tables import ALIGNED, Planted
from experiments.report.templates import fill

# Okabe and Ito's colours; a marker each as well, for print and for readers who see no colours.
STYLES = {
    "attention": ("#0072b2", "o"),
    "rollout": ("#56b4e9", "v"),
    "contributions": ("#d55e00", "s"),
    "gradient": ("#cc79a7", "^"),
    "integrated_gradients": ("#009e73", "D"),
    "occlusion": ("#000000", "P"),
    "shap": ("#e69f00", "X"),
    "contributions_average": ("#8c510a", "h"),
    "effects": ("#01665e", "*"),
    "constant": ("#b15928", "<"),
    "random": ("#999999", "."),
}
METHOD_ROWS = named({name: dataclasses.asdict(method) for name, method in METHODS.items()})
# The forms of which nothing but planted fields was asked.
TRIED = ("paper", "flatter")
# The share of the models in which a reliable method finds the planted fields.
WANTED = 0.95
# The forms whose attention is aligned with effects, as the page's first sentences say.
ALIGNED_HOW = {
    ALIGNED: "Aligned with effects from the first epoch on, `released`'s attention names them",
    "tuned": "Aligned after the best epoch, `tuned`'s attention names them",
}


def write_faithfulness_page(folder: pathlib.Path) -> None:
    """Writes the page of what stands under `faithfulness` in `--results_dir`, if anything does."""
    found = read_results("faithfulness/planted/*/*.json").values()
    planted = {(s["rule"], s["form"]): s for s in found}
    curves = read_results("faithfulness/curves/*/*.json")
    agreement = sorted(
        read_results("faithfulness/agreement/*/*.json").values(), key=agreement_tables.of_models
    )
    coalitions = list(read_results("faithfulness/coalitions/*/*.json").values())
    of_orders = list(read_results("faithfulness/order_agreement/*/*.json").values())
    knockoffs = list(read_results("faithfulness/knockoffs/*/summary.json").values())
    values = list(read_results("faithfulness/planted_values/*.json").values())
    rare = list(read_results("faithfulness/rare_values/*.json").values())
    additivity = list(read_results("faithfulness/additivity/*/summary.json").values())
    if not (planted or curves or agreement or of_orders or values or rare or additivity):
        return
    page = fill(
        "faithfulness.md",
        rules=list(planted.values()),
        in_short=[*in_short(planted), *pairs_and_orders_in_short(planted, knockoffs)],
        glance=planted_tables.fields_at_a_glance(planted),
        added_flags=planted_tables.added_flags(),
        by_rule=planted_tables.fields_by_rule(planted),
        pairs_by_rule=planted_tables.pairs_by_rule(planted),
        aligned=planted_tables.alignment(planted, ALIGNED),
        tuned=planted_tables.alignment(planted, "tuned"),
        pairs=planted_tables.pairs_at_a_glance(planted),
        triples=planted_tables.triples(planted),
        orders=planted_tables.orders(planted, "released"),
        ordered=planted_tables.orders(planted, ORDERED),
        of_orders=of_orders,
        orders_agreed=agreement_tables.orders_agreed(of_orders),
        values=values,
        of_values=[of_values(summary) for summary in values],
        rare=rare,
        of_rare=of_rare(rare),
        forms=forms(planted),
        curves=[of_data(name, summary) for name, summary in curves.items()],
        coalitions=coalitions,
        of_coalitions=[of_coalitions(summary) for summary in coalitions],
        knockoffs=knockoffs,
        discoveries=discoveries(knockoffs),
        agreement=agreement,
        alignment=ALIGNMENT,
        agreed=agreement_tables.agreed(agreement),
        one_pass=agreement_tables.one_pass(agreement),
        additivity=additivity,
        errors=errors(additivity),
        methods=methods(),
    )
    write_pages(folder, page)


def of_values(summary: Summary) -> Summary:
    """Returns what planted values in bags or histories say: a line for a method."""
    columns = {
        "method": "{name}",
        "models in which it is first in most records": lambda row: f"{row['found']} of {row['of']}",
        "first in a record": lambda row: interval(row["first"], 2).replace("+", ""),
    }
    return {**summary, "methods": table(columns, named(summary["methods"]))}


def of_rare(summaries: list[Summary]) -> Table:
    """Returns what a rare system does to attention and predictions: a line for a log and model."""
    columns = {
        "log": lambda row: row["log"].replace("_", " "),
        "model": "{form}",
        "new records have": "{name}",
        "models in which it takes an order": lambda row: _of_attention(row, "{taken} of {of}"),
        "its highest weight": lambda row: _of_attention(row, "{weight:.2f}"),
        "logloss": "{logloss:.3f}",
        "highest": "{worst:.3f}",
    }
    rows = [
        {"log": summary["log"], "form": form, "of": len(found["runs"]), "name": name, **row}
        for summary in summaries
        for form, found in summary["forms"].items()
        for name, row in found["systems"].items()
    ]
    return table(columns, rows)


def _of_attention(row: Summary, cell: str) -> str:
    return cell.format(**row) if "weight" in row else "–"


def in_short(planted: Planted) -> list[Summary]:
    """Returns what the planted rules say in short, a sentence each."""
    if not planted_tables.of_method(planted, "released", "fields", "attention"):
        return []

    def found(method):
        runs = planted_tables.runs_of(planted, "released")
        return [run["fields"][method]["found"] for run in runs if method in run["fields"]]

    def count(named):
        return f"{sum(named)} of {len(named)}"

    said = [
        "The attention of `released` names the planted fields, and no others, in "
        f"{count(found('attention'))} models"
    ]
    for form, how in ALIGNED_HOW.items():
        if pairs := planted_tables.all_paired(planted, form):
            aligned, plain = map(count, planted_tables.attention_names(pairs))
            said.append(f"{how} in {aligned}, in {plain} where it is not aligned")
    named_by = {m: found(m) for m in METHODS}
    right = [
        f"{METHODS[method].title} ({sum(f)} of {len(f)})"
        for method, f in named_by.items()
        if f and sum(f) >= WANTED * len(f)
    ]
    by = "; ".join(right) or "none of the methods"
    said.append(f"In at least {WANTED:.0%} of `released`'s models they are named by: {by}")
    return [{"sentence": sentence} for sentence in said]


def pairs_and_orders_in_short(planted: Planted, knockoffs: list[Summary]) -> list[Summary]:
    """Returns what planted rules say of pairs and of orders in short, a sentence each."""
    said = []

    def count(found):
        return f"{sum(found)} of {len(found)}"

    pairs = [
        run["pairs"]["pair_effects"]["found"]
        for run in planted_tables.runs_of(planted, "released")
        if "pairs" in run
    ]
    if pairs:
        said.append(f"Exact pair effects name the planted pairs in {count(pairs)}")
    false = [run["false"] for summary in knockoffs for run in summary["runs"].values()]
    if false:
        said.append(
            f"Of the pairs that are called interactions at a false discovery rate of "
            f"{knockoffs[0]['level']:.0%}, {np.mean(false):.0%} are false, in the mean of "
            f"{len(false)} models"
        )
    shares, weights, aligned = (
        planted_tables.orders_named(planted, form, key)
        for form, key in (("released", "shares"), ("released", "alpha_f"), (ORDERED, "alpha_f"))
    )
    if shares:
        orders = f"Order shares name the planted order in {count(shares)}, α_f in {count(weights)}"
        said.append(f"{orders}; aligned α_f in {count(aligned)}" if aligned else orders)
    return [{"sentence": sentence} for sentence in said]


def forms(planted: Planted) -> Table | None:
    """Returns the table of other forms that were tried to make attention find more."""
    tried = {rule for rule, form in planted if form in TRIED}
    compared = ("released", ALIGNED, *TRIED)
    keys = [(rule, form) for rule in PLANTED_RULES if rule in tried for form in compared]
    rows = [planted[key] for key in keys if key in planted]
    if not rows:
        return None

    def found_by(method):
        return lambda row: planted_tables.counted(
            [
                run["fields"][method]["found"]
                for run in row["runs"].values()
                if method in run["fields"]
            ]
        )

    columns = {
        "rule": lambda row: PLANTED_RULES[row["rule"]].title,
        "form": "`{form}`",
        "attention": found_by("attention"),
        "rolled out": found_by("rollout"),
        "contributions": found_by("contributions"),
        "integrated gradients": found_by("integrated_gradients"),
        "occlusion": found_by("occlusion"),
        "one-pass effects": found_by("effects"),
    }
    return table(columns, rows)


def of_data(name: str, summary: Summary) -> Summary:
    """Returns a preset's curves: how far insertion and deletion are apart, picture and table.

    Args:
        name: The data set's name, a slash, and the preset's.
        summary: What `curves.py` found of them.
    """
    title = f"{title_of(name.partition('/')[0])}, `{summary['preset']}`"
    gaps = {
        method: row["insertion"]["area"]["mean"] - row["deletion"]["area"]["mean"]
        for method, row in summary["methods"].items()
    }
    random = gaps.pop("random")
    order = sorted(gaps, key=gaps.get, reverse=True)
    alt = f"Deletion and insertion curves on {title}"
    return {
        **summary,
        "summary": summary,
        "title": title,
        "command": command_of(summary["data"]),
        "gaps": "; ".join(f"{METHODS[method].title} {gaps[method]:.2f}" for method in order),
        "random_gap": random,
        "picture": picture(curves_figure(summary), f"curves_{name.replace('/', '_')}", alt),
        "areas": areas(summary),
    }


def command_of(data: Summary) -> str:
    """Returns the command that writes the curves of a data set."""
    epochs = f" --epochs={data['epochs']}" if data.get("epochs") else ""
    dataset = data["set"].rpartition("/")[0]
    return f"python -m experiments.faithfulness.curves --dataset={dataset}{epochs}"


def areas(summary: Summary) -> Table:
    """Returns the table of the areas under a data set's curves."""
    rows = []
    for method, row in summary["methods"].items():
        cells = [METHODS[method].title]
        for kind in ("deletion", "insertion"):
            difference = None if method == "random" else row[kind]["against_random"]
            cells += [spread(row[kind]["area"], 3), interval(difference, 3)]
        agreement = row["agreement"]
        cells += [f"{agreement['correlation']:.2f}", f"{agreement['first']:.0%}"]
        # Earlier summaries have no more than this.
        more = ("effects", "wrong_signs", "background", "untrained")
        rows.append([*cells, *(spread(row[key], 2) if key in row else "–" for key in more)])
    header = ["method", "deletion ↓", "minus random's", "insertion ↑", "minus random's"]
    header += ["rank correlation of seeds", "same first field", "ranks as exact effects"]
    return Table([*header, "wrong sign", "other background", "untrained model"], rows)


def curves_figure(summary: Summary) -> Figure:
    """Draws deletion and insertion, a line for each method."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    kinds = (("deletion", "lower", "removed"), ("insertion", "higher", "added"))
    for panel, (kind, better, changed) in zip(panels, kinds, strict=True):
        for method, (colour, marker) in STYLES.items():
            if method not in summary["methods"]:
                continue
            curve = summary["methods"][method][kind]["curve"]
            style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.3}
            panel.plot(np.arange(len(curve)), curve, **style, label=METHODS[method].title)
        panel.set_title(f"{kind}: {better} is better")
        panel.set_xlabel(f"fields {changed}")
        without_frame(panel)
    panels[0].set_ylabel("share of the prediction that is left")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def of_coalitions(summary: Summary) -> Summary:
    """Returns a data set's table of pairs against interactions over all coalitions."""

    def cells_of(key):
        return lambda row: spread(row[key], 2) if key in row else "–"

    columns = {
        "method": lambda row: PAIR_METHODS[row["name"]].title,
        f"of the first {summary['first']}": cells_of("precision"),
        "Kendall's τ": cells_of("tau"),
        "R²": cells_of("r2"),
    }
    return {"summary": summary, "table": table(columns, named(summary["methods"]))}


def discoveries(summaries: list[Summary]) -> Table:
    """Returns the table of pairs that were named against knockoffs, and of those that are false."""
    columns = {
        "rule": lambda row: PLANTED_RULES[row["rule"]].title,
        "models": lambda row: str(len(row["runs"])),
        "planted pairs named": lambda row: planted_tables.averaged(
            [run["right"] / run["planted"] for run in row["runs"].values() if run["planted"]], ".0%"
        ),
        "pairs named": lambda row: planted_tables.averaged(
            [run["named"] for run in row["runs"].values()], ".1f"
        ),
        "false among them": lambda row: planted_tables.averaged(
            [run["false"] for run in row["runs"].values()], ".0%"
        ),
    }
    return table(columns, summaries)


def errors(summaries: list[Summary]) -> Table:
    """Returns the table of how exactly contributions add up, and at what speed."""
    columns = {
        "data": set_of,
        "records × models": lambda row: f"{row['records']:,} × {len(row['seeds'])}",
        "largest error": "{largest_error:.1e}",
        "largest logit": "{largest_logit:.1f}",
        "predicted rows/s": "{predicted_per_second:,.0f}",
        "explained rows/s": "{explained_per_second:,.0f}",
        "share of prediction's rows/s": "{share_of_prediction[median]:.0%} "
        "[{share_of_prediction[low]:.0%}, {share_of_prediction[high]:.0%}]",
    }
    return table(columns, summaries)


def methods() -> Table:
    """Returns the table of what each method is and costs."""
    columns = {
        "method": "{title}",
        "signed": lambda row: "yes" if row["signed"] else "no",
        "predictions a record, for m fields and a background of b": "{cost}",
    }
    return table(columns, METHOD_ROWS, numeric=False)
