"""The page that says when InterHAt's explanations can be believed, and when not."""

import dataclasses
import pathlib

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import interval, spread
from experiments.common.planted_rules import FORMS, PLANTED_RULES
from experiments.common.results import read_results
from experiments.faithfulness.methods import METHODS
from experiments.report.cells import Summary, data_of, named, table, title_of, written
from experiments.report.pages import Section, Table, picture, without_frame, write_pages

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
    additivity = list(read_results("faithfulness/additivity/*/summary.json").values())
    if not planted and not curves and not additivity:
        return
    released = {r: planted[r, "released"] for r in PLANTED_RULES if (r, "released") in planted}
    sections = [
        in_short(released, curves),
        *([planted_section(released)] if released else []),
        *forms_section(planted),
        *(curves_section(name, summary) for name, summary in curves.items()),
        *([additivity_section(additivity)] if additivity else []),
        methods_section(),
    ]
    write_pages(folder, TITLE, sections)


def in_short(released: dict[str, Summary], curves: dict[str, Summary]) -> Section:
    """Returns what was found, by rule with `experiments.faithfulness.planted`, by data `curves`."""
    points = [
        *advice(released),
        *(of_rule(PLANTED_RULES[rule].title, summary) for rule, summary in released.items()),
        *(of_data(title_of(name), summary) for name, summary in curves.items()),
    ]
    return Section("In short", ["- " + "\n- ".join(points)])


def of_rule(title: str, summary: Summary) -> str:
    """Returns which methods find a rule's fields."""
    alone = {name: row["alone"] for name, row in summary["methods"].items()}
    good = [METHODS[m].title for m, row in alone.items() if row["found"] >= WANTED * row["of"]]
    return (
        f"**{title}** ({', '.join(summary['group'])}; best possible AUC "
        f"{summary['best_auc']:.3f}, reached {summary['test']['mean']:.3f}): attention finds "
        f"the planted fields in {alone['attention']['found']} of {alone['attention']['of']} "
        f"seeds. In at least {WANTED:.0%} of the seeds they are found by: "
        f"{'; '.join(good) or 'none of the methods'}."
    )


def of_data(title: str, summary: Summary) -> str:
    """Returns by how much the area under insertion exceeds that under deletion, best first."""
    gaps = {
        name: row["insertion"]["area"]["mean"] - row["deletion"]["area"]["mean"]
        for name, row in summary["methods"].items()
    }
    random = gaps.pop("random")
    order = sorted(gaps, key=gaps.get, reverse=True)
    listed = "; ".join(f"{METHODS[name].title} {gaps[name]:.2f}" for name in order)
    return (
        f"**{title}**: insertion minus deletion, the best method first: {listed}; "
        f"random {random:.2f}."
    )


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


def planted_section(released: dict[str, Summary]) -> Section:
    """Returns the section on which methods find planted fields."""
    titles = {PLANTED_RULES[rule].title: summary for rule, summary in released.items()}
    first = next(iter(released.values()))

    def found(kind):
        def cell_of(summary):
            return lambda method: with_share(summary["methods"][method["name"]][kind])

        columns = {title: cell_of(summary) for title, summary in titles.items()}
        return table({"method": "{title}", **columns}, METHOD_ROWS)

    reached = ["test AUC", *(spread(s["test"]) for s in released.values())]
    best = ["best possible", *(f"{s['best_auc']:.4f}" for s in released.values())]
    command = "python -m experiments.faithfulness.planted --dataset=synthetic_rules/RULE"
    about = (
        f"InterHAt, `released`, {len(first['seeds'])} seeds a rule, explained on up to "
        f"{max(s['records'] for s in released.values())} test records that match the rule. G is "
        "the set of planted fields. A cell says in how many of the seeds the |G| fields with the "
        "largest values, averaged over the records, are exactly G; in brackets the 95% Wilson "
        "interval of that share; then the share of planted fields among the |G| largest of single "
        f"records. {written(first, command)}"
    )
    together = (
        f"The same with the values of {first['models_together']} models averaged: each seed and "
        "the four after it. These rows are not independent, so that the intervals are too narrow."
    )
    aucs = Table(["", *titles], [reached, best])
    blocks = [about, found("alone"), aucs, together, found("together")]
    return Section("Planted rules: are the fields found?", blocks)


def of_seeds(row: Summary) -> str:
    """Returns a cell: in how many seeds, and the interval."""
    return f"{row['found']} [{row['low']:.0%}, {row['high']:.0%}]"


def with_share(row: Summary) -> str:
    """Returns the same cell with the share of planted fields."""
    return f"{of_seeds(row)}, {row['share']['mean']:.0%}"


def forms_section(planted: dict[tuple[str, str], Summary]) -> list[Section]:
    """Returns the section on what was tried to make attention find more."""
    tried = {rule for rule, form in planted if form != "released"}
    keys = [(rule, form) for rule in PLANTED_RULES if rule in tried for form in FORMS]
    rows = [planted[key] for key in keys if key in planted]
    if not rows:
        return []

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
    about = (
        "`paper` is the printed equations, without residual paths and layer norms; `flatter` is "
        "`released` with an L2 penalty of 0.01 on W and b of the aggregations, which keeps their "
        "weights from settling on one field. Cells as above, without shares."
    )
    return [Section("What was tried to make attention find more", [about, table(columns, rows)])]


def curves_section(name: str, summary: Summary) -> Section:
    """Returns the section of a data set's deletion and insertion curves."""
    rows = []
    for method, row in summary["methods"].items():
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
    title = title_of(name)
    alt = f"Deletion and insertion curves on {title}"
    figure = picture(curves_figure(summary), f"curves_{name}", alt)
    return Section(f"{title}: deletion and insertion", [about, figure, Table(header, rows)])


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


def additivity_section(summaries: list[Summary]) -> Section:
    """Returns the section on how exactly contributions add up, and at what speed."""
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
    first, command = summaries[0], "python -m experiments.faithfulness.additivity --dataset=NAME"
    about = (
        "The largest distance between a logit and the sum of its contributions and bias, and the "
        "rows a second when the same records are predicted and explained in turn, in batches of "
        f"{first['batch_size']:,}: medians of {first['rounds']} rounds, in brackets the 10% and "
        f"90% quantiles. {written(first, command)}"
    )
    title = "Contributions add up to the logit: error, and speed of explaining"
    return Section(title, [about, table(columns, summaries)])


def methods_section() -> Section:
    """Returns the section that says what each method is and costs."""
    columns = {
        "method": "{title}",
        "signed": lambda row: "yes" if row["signed"] else "no",
        "predictions a record, for m fields and a background of b": "{cost}",
    }
    about = (
        "All but SHAP, which is the library `shap`, are in `interhat_tf.explanation.attributions`."
    )
    return Section("The methods", [about, table(columns, METHOD_ROWS, numeric=False)])
