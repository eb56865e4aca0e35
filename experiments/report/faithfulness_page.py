"""The page that says when InterHAt's explanations can be believed, and when not."""

import dataclasses
import pathlib

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import interval, spread
from experiments.common.planted_rules import FORMS, PLANTED_RULES
from experiments.common.results import read_results
from experiments.faithfulness.methods import METHODS
from experiments.report.blocks import Table, picture, without_frame, write_pages
from experiments.report.cells import Summary, named, table, title_of
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
    "random": ("#999999", "."),
}
METHOD_ROWS = named({name: dataclasses.asdict(method) for name, method in METHODS.items()})
# The share of the seeds in which a reliable method finds the planted fields.
WANTED = 0.95
# Rules whose best possible AUC is not above this are hardly learnt, so that nothing can be found.
LEARNABLE = 0.51


def write_faithfulness_page(folder: pathlib.Path) -> None:
    """Writes the page of what stands under `faithfulness` in `--results_dir`, if anything does."""
    found = read_results("faithfulness/planted/*/*.json").values()
    planted = {(s["rule"], s["form"]): s for s in found}
    curves = read_results("faithfulness/*/summary.json")
    agreement = list(read_results("faithfulness/agreement/*/*.json").values())
    additivity = list(read_results("faithfulness/additivity/*/summary.json").values())
    if not (planted or curves or agreement or additivity):
        return
    released = {r: planted[r, "released"] for r in PLANTED_RULES if (r, "released") in planted}
    page = fill(
        "faithfulness.md",
        wanted=WANTED,
        rules=[of_rule(rule, summary) for rule, summary in released.items()],
        curves=[of_data(name, summary) for name, summary in curves.items()],
        **advice(released),
        **of_planted(released),
        forms=forms(planted),
        agreement=agreement,
        agreed=agreed(agreement),
        additivity=additivity,
        errors=errors(additivity),
        methods=methods(),
    )
    write_pages(folder, page)


def advice(released: dict[str, Summary]) -> Summary:
    """Returns how often attention can be believed, as far as planted rules tell."""
    learnt = {rule: s for rule, s in released.items() if s["best_auc"] > LEARNABLE}
    single = [s for rule, s in learnt.items() if len(PLANTED_RULES[rule].group) == 1]
    several = [s for rule, s in learnt.items() if len(PLANTED_RULES[rule].group) > 1]

    def count(summaries, kind):
        rows = [s["methods"]["attention"][kind] for s in summaries]
        return f"{sum(row['found'] for row in rows)} of {sum(row['of'] for row in rows)}"

    return {
        "single": single and count(single, "alone"),
        "several": several and count(several, "alone"),
        "several_together": count(several, "together"),
        "together": several and several[0]["models_together"],
    }


def of_rule(rule: str, summary: Summary) -> Summary:
    """Returns a rule with the methods that find its fields."""
    alone = {name: row["alone"] for name, row in summary["methods"].items()}
    good = [METHODS[m].title for m, row in alone.items() if row["found"] >= WANTED * row["of"]]
    return {
        **summary,
        "title": PLANTED_RULES[rule].title,
        "found_by": "; ".join(good) or "none of the methods",
    }


def of_planted(released: dict[str, Summary]) -> Summary:
    """Returns the tables on which methods find planted fields."""
    titles = {PLANTED_RULES[rule].title: summary for rule, summary in released.items()}

    def found(kind):
        def cell_of(summary):
            return lambda method: with_share(summary["methods"][method["name"]][kind])

        columns = {title: cell_of(summary) for title, summary in titles.items()}
        return table({"method": "{title}", **columns}, METHOD_ROWS)

    reached = ["test AUC", *(spread(s["test"]) for s in released.values())]
    best = ["best possible", *(f"{s['best_auc']:.4f}" for s in released.values())]
    return {
        "records": max((s["records"] for s in released.values()), default=0),
        "found_alone": found("alone"),
        "aucs": Table(["", *titles], [reached, best]),
        "found_together": found("together"),
    }


def of_seeds(row: Summary) -> str:
    """Returns a cell: in how many seeds, and the interval."""
    return f"{row['found']} [{row['low']:.0%}, {row['high']:.0%}]"


def with_share(row: Summary) -> str:
    """Returns the same cell with the share of planted fields."""
    return f"{of_seeds(row)}, {row['share']['mean']:.0%}"


def forms(planted: dict[tuple[str, str], Summary]) -> Table | None:
    """Returns the table of what was tried to make attention find more."""
    tried = {rule for rule, form in planted if form != "released"}
    keys = [(rule, form) for rule in PLANTED_RULES if rule in tried for form in FORMS]
    rows = [planted[key] for key in keys if key in planted]
    if not rows:
        return None

    def found_by(method):
        return lambda row: of_seeds(row["methods"][method]["alone"])

    columns = {
        "rule": lambda row: PLANTED_RULES[row["rule"]].title,
        "form": "`{form}`",
        "test AUC": lambda row: spread(row["test"]),
        "attention": found_by("attention"),
        "rolled out": found_by("rollout"),
        "contributions": found_by("contributions"),
        "integrated gradients": found_by("integrated_gradients"),
        "occlusion": found_by("occlusion"),
    }
    return table(columns, rows)


def of_data(name: str, summary: Summary) -> Summary:
    """Returns a data set's curves: how far insertion and deletion are apart, picture and table."""
    title = title_of(name)
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
        "dataset": summary["data"]["set"].rpartition("/")[0],
        "gaps": "; ".join(f"{METHODS[method].title} {gaps[method]:.2f}" for method in order),
        "random_gap": random,
        "picture": picture(curves_figure(summary), f"curves_{name}", alt),
        "areas": areas(summary),
    }


def areas(summary: Summary) -> Table:
    """Returns the table of the areas under a data set's curves."""
    rows = []
    for method, row in summary["methods"].items():
        cells = [METHODS[method].title]
        for kind in ("deletion", "insertion"):
            difference = None if method == "random" else row[kind]["against_random"]
            cells += [spread(row[kind]["area"], 3), interval(difference, 3)]
        agreement = row["agreement"]
        rows.append([*cells, f"{agreement['correlation']:.2f}", f"{agreement['first']:.0%}"])
    header = ["method", "deletion ↓", "minus random's", "insertion ↑", "minus random's"]
    return Table([*header, "rank correlation", "same first field"], rows)


def curves_figure(summary: Summary) -> Figure:
    """Draws deletion and insertion, a line for each method."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    kinds = (("deletion", "lower", "removed"), ("insertion", "higher", "added"))
    for panel, (kind, better, changed) in zip(panels, kinds, strict=True):
        for method, (colour, marker) in STYLES.items():
            curve = summary["methods"][method][kind]["curve"]
            style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.3}
            panel.plot(np.arange(len(curve)), curve, **style, label=METHODS[method].title)
        panel.set_title(f"{kind}: {better} is better")
        panel.set_xlabel(f"fields {changed}")
        without_frame(panel)
    panels[0].set_ylabel("share of the prediction that is left")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def agreed(summaries: list[Summary]) -> Table:
    """Returns the table of how far explanations rank fields as their effects do."""

    def cells_of(name, digits=2):
        return lambda row: spread(row[name], digits)

    columns = {
        "data": "`{data[set]}`",
        "row": "`{row}`",
        "seeds": lambda row: str(len(row["seeds"])),
        "attention": cells_of("attention"),
        "contributions": cells_of("contributions"),
        "the same for all records": cells_of("constant"),
        "other background": cells_of("ceiling"),
        "AUC lost": cells_of("auc_lost", 4),
        "largest error": "{largest_error[mean]:.1e}",
    }
    return table(columns, summaries)


def errors(summaries: list[Summary]) -> Table:
    """Returns the table of how exactly contributions add up, and at what speed."""
    columns = {
        "data": "`{data[set]}`",
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
