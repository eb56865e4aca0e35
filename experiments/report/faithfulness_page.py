"""The page that says when InterHAt's explanations can be believed, and when not."""

import pathlib
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import interval, spread
from experiments.common.planted_rules import FORMS, PLANTED_RULES
from experiments.common.results import read_results
from experiments.faithfulness.methods import METHODS
from experiments.report.pages import (
    Section,
    Table,
    data_of,
    picture,
    without_frame,
    write_pages,
    written,
)

Summary = dict[str, Any]

TITLE = "Can InterHAt's explanations be believed?"
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
# The share of the seeds in which a reliable method finds the planted fields.
WANTED = 0.95
# Rules whose best possible AUC is not above this are hardly learnt, so that nothing can be found.
LEARNABLE = 0.51


def write_faithfulness_page(folder: pathlib.Path) -> None:
    """Writes the page of what stands under `faithfulness` in `--results_dir`, if anything does."""
    planted = {
        (s["rule"], s["form"]): s for s in read_results("faithfulness/planted/*/*.json").values()
    }
    curves = read_results("faithfulness/*/summary.json")
    additivity = list(read_results("faithfulness/additivity/*/summary.json").values())
    if not planted and not curves and not additivity:
        return
    released = {r: planted[r, "released"] for r in PLANTED_RULES if (r, "released") in planted}
    sections = [
        in_short(released, curves),
        *planted_section(released),
        *forms_section(planted),
        *(curves_section(name, summary) for name, summary in curves.items()),
        *additivity_section(additivity),
        methods_section(),
    ]
    write_pages(folder, TITLE, sections)


def in_short(released: dict[str, Summary], curves: dict[str, Summary]) -> Section:
    """Returns the section that says what was found.

    Args:
        released: Dictionary from a rule to its summary of `experiments.faithfulness.planted`.
        curves: Dictionary from a data set to its summary of `experiments.faithfulness.curves`.
    """
    points = advice(released)
    for rule, summary in released.items():
        alone = {name: row["alone"] for name, row in summary["methods"].items()}
        good = [METHODS[m].title for m, row in alone.items() if row["found"] >= WANTED * row["of"]]
        points.append(
            f"**{PLANTED_RULES[rule].title}** ({', '.join(summary['group'])}; best possible AUC "
            f"{summary['best_auc']:.3f}, reached {summary['test']['mean']:.3f}): attention finds "
            f"the planted fields in {alone['attention']['found']} of {alone['attention']['of']} "
            f"seeds. In at least {WANTED:.0%} of the seeds they are found by: "
            f"{'; '.join(good) or 'none of the methods'}."
        )
    for name, summary in curves.items():
        gaps = {m: gap(row) for m, row in summary["methods"].items()}
        random = gaps.pop("random")
        order = sorted(gaps, key=gaps.get, reverse=True)
        points.append(
            f"**{title_of(name)}**: insertion minus deletion, the best method first: "
            + "; ".join(f"{METHODS[m].title} {gaps[m]:.2f}" for m in order)
            + f"; random {random:.2f}."
        )
    return Section("In short", ["- " + "\n- ".join(points)])


def advice(released: dict[str, Summary]) -> list[str]:
    """Returns when attention can be believed, as far as planted rules tell."""
    learnt = {rule: s for rule, s in released.items() if s["best_auc"] > LEARNABLE}
    single = {rule: s for rule, s in learnt.items() if len(PLANTED_RULES[rule].group) == 1}
    several = {rule: s for rule, s in learnt.items() if rule not in single}

    def count(summaries, kind):
        rows = [s["methods"]["attention"][kind] for s in summaries.values()]
        return f"{sum(row['found'] for row in rows)} of {sum(row['of'] for row in rows)}"

    points = []
    if single:
        points.append(
            f"Where one field decides, attention named it in {count(single, 'alone')} models."
        )
    if several:
        models = next(iter(learnt.values()))["models_together"]
        points.append(
            "Where several fields decide together, the attention of a single model named all of "
            f"them, and no others, in {count(several, 'alone')} models: it is a hint at some of "
            f"them, not the whole set. Averaged over {models} models, it named them in "
            f"{count(several, 'together')}. To know which values a prediction needs, change them "
            "and ask the model again: occlusion or SHAP."
        )
    return points


def gap(row: Summary) -> float:
    """Returns by how much the area under insertion exceeds that under deletion."""
    return row["insertion"]["area"]["mean"] - row["deletion"]["area"]["mean"]


def planted_section(released: dict[str, Summary]) -> list[Section]:
    """Returns the section on which methods find planted fields."""
    if not released:
        return []
    summaries = list(released.values())
    header = ["method", *(PLANTED_RULES[rule].title for rule in released)]

    def cell(row):
        return f"{of_seeds(row)}, {row['share']['mean']:.0%}"

    def table(kind):
        return Table(
            header,
            [
                [method.title, *(cell(s["methods"][m][kind]) for s in summaries)]
                for m, method in METHODS.items()
            ],
        )

    best = [f"{s['best_auc']:.4f}" for s in summaries]
    reached = [spread(s["test"]) for s in summaries]
    command = "python -m experiments.faithfulness.planted --dataset=synthetic_rules/RULE"
    about = (
        f"InterHAt, `released`, {len(summaries[0]['seeds'])} seeds a rule, explained on up to "
        f"{max(s['records'] for s in summaries)} test records that match the rule. G is the set of "
        "planted fields. A cell says in how many of the seeds the |G| fields with the largest "
        "values, averaged over the records, are exactly G; in brackets the 95% Wilson interval of "
        "that share; then the share of planted fields among the |G| largest of single records. "
        + written(summaries[0], command)
    )
    together = (
        f"The same with the values of {summaries[0]['models_together']} models averaged: each seed "
        "and the four after it. These rows are not independent, so that the intervals are too "
        "narrow."
    )
    aucs = Table(["", *header[1:]], [["test AUC", *reached], ["best possible", *best]])
    title = "Planted rules: are the fields found?"
    return [Section(title, [about, table("alone"), aucs, together, table("together")])]


def forms_section(planted: dict[tuple[str, str], Summary]) -> list[Section]:
    """Returns the section on what was tried to make attention find more."""
    rules = [rule for rule in PLANTED_RULES if len([r for r, _ in planted if r == rule]) > 1]
    if not rules:
        return []
    shown = {
        "attention": "attention",
        "rollout": "rolled out",
        "contributions": "contributions",
        "integrated_gradients": "integrated gradients",
        "occlusion": "occlusion",
    }
    rows = [
        [
            PLANTED_RULES[rule].title,
            f"`{form}`",
            spread(planted[rule, form]["test"]),
            *(of_seeds(planted[rule, form]["methods"][name]["alone"]) for name in shown),
        ]
        for rule in rules
        for form in FORMS
        if (rule, form) in planted
    ]
    about = (
        "`paper` is the printed equations, without residual paths and layer norms; `flatter` is "
        "`released` with an L2 penalty of 0.01 on W and b of the aggregations, which keeps their "
        "weights from settling on one field. Cells as above, without shares."
    )
    header = ["rule", "form", "test AUC", *shown.values()]
    return [Section("What was tried to make attention find more", [about, Table(header, rows)])]


def curves_section(name: str, summary: Summary) -> Section:
    """Returns the section of a data set's deletion and insertion curves."""
    rows = []
    for method in METHODS:
        row = summary["methods"][method]
        cells = [METHODS[method].title]
        for kind in ("deletion", "insertion"):
            difference = None if method == "random" else row[kind]["against_random"]
            cells += [spread(row[kind]["area"], 3), interval(difference, 3)]
        agreement = row["agreement"]
        rows.append([*cells, f"{agreement['correlation']:.2f}", f"{agreement['first']:.0%}"])
    header = ["method", "deletion ↓", "minus random's", "insertion ↑", "minus random's"]
    header += ["rank correlation", "same first field"]
    dataset = summary["data"]["set"].rpartition("/")[0]
    command = f"python -m experiments.faithfulness.curves --dataset={dataset}"
    about = (
        f"InterHAt, `released`, {len(summary['seeds'])} seeds, test AUC {spread(summary['test'])}; "
        f"{summary['records']} test records of {data_of(summary)}. Fields are removed, or added, "
        "one by one, the one that supports the prediction most first. A field that is removed "
        f"takes the values of {summary['background']} training records, over which the probability "
        "is averaged. Values are means of the curves, ± over seeds; differences from random fields "
        "are paired by seed, with a 95% Student interval. Lower is better for deletion, higher for "
        "insertion. The last two columns say how far the models of two seeds agree on the same "
        f"record. {written(summary, command)}"
    )
    alt = f"Deletion and insertion curves on {title_of(name)}"
    figure = picture(curves_figure(summary), f"curves_{name}", alt)
    return Section(
        f"{title_of(name)}: deletion and insertion", [about, figure, Table(header, rows)]
    )


def curves_figure(summary: Summary) -> Figure:
    """Draws deletion and insertion, a line for each method.

    Args:
        summary: A summary of `experiments.faithfulness.curves`.
    """
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = ("deletion: lower is better", "insertion: higher is better")
    labels = ("fields removed", "fields added")
    for panel, title, label in zip(panels, titles, labels, strict=True):
        for method, (colour, marker) in STYLES.items():
            curve = summary["methods"][method][title.partition(":")[0]]["curve"]
            style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.3}
            panel.plot(np.arange(len(curve)), curve, **style, label=METHODS[method].title)
        panel.set_title(title)
        panel.set_xlabel(label)
        without_frame(panel)
    panels[0].set_ylabel("share of the prediction that is left")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def additivity_section(summaries: list[Summary]) -> list[Section]:
    """Returns the section on how exactly contributions add up, and at what speed."""
    if not summaries:
        return []
    rows = []
    for summary in summaries:
        share = summary["share_of_prediction"]
        rows.append(
            [
                f"`{summary['data']['set']}`",
                f"{summary['records']:,} × {len(summary['seeds'])}",
                f"{summary['largest_error']:.1e}",
                f"{summary['largest_logit']:.1f}",
                f"{summary['predicted_per_second']:,.0f}",
                f"{summary['explained_per_second']:,.0f}",
                f"{share['median']:.0%} [{share['low']:.0%}, {share['high']:.0%}]",
            ]
        )
    header = ["data", "records × models", "largest error", "largest logit", "predicted rows/s"]
    header += ["explained rows/s", "share of prediction's rows/s"]
    first, command = summaries[0], "python -m experiments.faithfulness.additivity --dataset=NAME"
    about = (
        "The largest distance between a logit and the sum of its contributions and bias, and the "
        "rows a second when the same records are predicted and explained in turn, in batches of "
        f"{first['batch_size']:,}: medians of {first['rounds']} rounds, in brackets the 10% and "
        f"90% quantiles. {written(first, command)}"
    )
    title = "Contributions add up to the logit: error, and speed of explaining"
    return [Section(title, [about, Table(header, rows)])]


def methods_section() -> Section:
    """Returns the section that says what each method is and costs."""
    rows = [[m.title, "yes" if m.signed else "no", m.cost] for m in METHODS.values()]
    header = ["method", "signed", "predictions a record, for m fields and a background of b"]
    about = (
        "All but SHAP, which is the library `shap`, are in `interhat_tf.explanation.attributions`."
    )
    return Section("The methods", [about, Table(header, rows, numeric=False)])


def of_seeds(row: Summary) -> str:
    """Returns a cell: in how many seeds, and the interval."""
    return f"{row['found']} [{row['low']:.0%}, {row['high']:.0%}]"


def title_of(name: str) -> str:
    """Returns what a data set is called."""
    return {"movielens_ctr": "MovieLens"}.get(name, name.replace("_", " ").capitalize())
