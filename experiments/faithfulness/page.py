"""One page that says when InterHAt's explanations can be believed, and when not.

    python -m experiments.faithfulness.page

Reads what `planted.py`, `curves.py` and `sums.py` wrote under `experiments/results/
faithfulness` and writes there `README.md`, its pictures, and `index.html`.
"""

import pathlib

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import interval, spread
from experiments.common.planted_rules import FORMS, PLANTED_RULES
from experiments.common.results import PUBLISHED, RESULTS_DIR
from experiments.common.running import run_program
from experiments.faithfulness.methods import METHODS
from experiments.report.pages import Section, Table, picture, write_pages
from interhat_tf.utils.files import read_json

TITLE = "Can InterHAt's explanations be believed?"
# Okabe and Ito's colours; a marker each as well, for print and for eyes that see no colours.
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
CURVES = {"deletion": "fields taken away", "insertion": "fields added"}
WANTED = 0.95
# Rules whose best possible AUC is not above this are hardly learnt, so that nothing can be found.
LEARNABLE = 0.51


def main(_):
    folder = pathlib.Path(RESULTS_DIR.value) / "faithfulness"
    planted = {}
    for path in sorted(folder.glob("planted/*/summary.json")):
        summary = read_json(path)
        planted[summary["rule"], summary["form"]] = summary
    curves = {path.parent.name: read_json(path) for path in sorted(folder.glob("*/summary.json"))}
    sums = [read_json(path) for path in sorted(folder.glob("sums/*/summary.json"))]
    if not planted and not curves:
        raise ValueError(f"nothing in {folder}: run experiments.faithfulness.planted or curves")
    sections = [
        in_short(planted, curves),
        *planted_section(planted),
        *forms_section(planted),
        *(curves_section(name, summary) for name, summary in curves.items()),
        *sums_section(sums),
        methods_section(),
    ]
    write_pages(folder, TITLE, sections)


def in_short(planted, curves):
    """Returns the section that says what was found."""
    points = advice(released(planted))
    for rule, summary in released(planted).items():
        rows = summary["methods"]
        good = [
            METHODS[name].title
            for name, row in rows.items()
            if row["alone"]["found"] >= WANTED * row["alone"]["of"]
        ]
        attention = rows["attention"]["alone"]
        points.append(
            f"**{PLANTED_RULES[rule].title}** ({', '.join(summary['group'])}; best possible AUC "
            f"{summary['best_auc']:.3f}, reached {summary['test']['mean']:.3f}): attention finds "
            f"the planted fields in {attention['found']} of {attention['of']} seeds; in at least "
            f"{WANTED:.0%} of them do: {'; '.join(good) or 'none of the methods'}."
        )
    for name, summary in curves.items():
        rows = summary["methods"]
        gaps = {m: gap(row) for m, row in rows.items() if m != "random"}
        order = sorted(gaps, key=gaps.get, reverse=True)
        points.append(
            f"**{title_of(name)}**: by insertion less deletion, from the best: "
            + "; ".join(f"{METHODS[m].title} {gaps[m]:.2f}" for m in order)
            + f"; random {gap(rows['random']):.2f}."
        )
    return Section("In short", ["- " + "\n- ".join(points)])


def advice(summaries):
    """Returns when attention can be believed, as far as planted rules tell: a list of points."""
    learnt = {rule: s for rule, s in summaries.items() if s["best_auc"] > LEARNABLE}
    counts = {}
    for rule, summary in learnt.items():
        kind = "single" if len(PLANTED_RULES[rule].group) == 1 else "several"
        for together in ("alone", "together"):
            row = summary["methods"]["attention"][together]
            found, of = counts.get((kind, together), (0, 0))
            counts[kind, together] = found + row["found"], of + row["of"]
    points = []
    if ("single", "alone") in counts:
        points.append(
            "Where one field decides, attention named it in {} of {} models.".format(
                *counts["single", "alone"]
            )
        )
    if ("several", "alone") in counts:
        points.append(
            "Where several fields decide together, a single model's attention named all of them, "
            "and no others, in {} of {}: take it for a hint at some of them, not for the whole "
            "set. Averaged over {} models it did in {} of {}. To know which values a prediction "
            "needs, ask the model again, by occlusion or SHAP.".format(
                *counts["several", "alone"],
                next(iter(learnt.values()))["models_together"],
                *counts["several", "together"],
            )
        )
    return points


def released(planted):
    """Returns the summaries of the form `released`, rule by rule."""
    return {
        rule: planted[rule, "released"] for rule in PLANTED_RULES if (rule, "released") in planted
    }


def gap(row):
    """Returns how much sooner the probability comes back than it goes."""
    return row["insertion"]["area"]["mean"] - row["deletion"]["area"]["mean"]


def planted_section(planted):
    """Returns the section on which methods find planted fields."""
    summaries = released(planted)
    if not summaries:
        return []
    first = next(iter(summaries.values()))
    header = ["method", *(PLANTED_RULES[rule].title for rule in summaries)]

    def table(kind):
        return Table(
            header,
            [
                [METHODS[m].title, *(found(s["methods"][m][kind]) for s in summaries.values())]
                for m in METHODS
            ],
        )

    best = [f"{s['best_auc']:.4f}" for s in summaries.values()]
    reached = [spread(s["test"]) for s in summaries.values()]
    aucs = Table(["", *header[1:]], [["test AUC", *reached], ["best possible", *best]])
    return [
        Section(
            "Planted rules: are the fields found?",
            [
                f"InterHAt, `released`, {len(first['seeds'])} seeds a rule, explained on up to "
                f"{max(s['records'] for s in summaries.values())} test records that match the "
                "rule. A cell says in how many of the seeds the |G| fields with the largest "
                "numbers, averaged over the records, are the planted ones and no others; in "
                "brackets the 95% Wilson interval of that share; then the share of the planted "
                "fields among the |G| largest of single records. "
                + written(
                    first,
                    "python -m experiments.faithfulness.planted --dataset=synthetic_rules/RULE",
                ),
                table("alone"),
                aucs,
                f"The same with the numbers of {first['models_together']} models averaged (each "
                "seed and the four after it, so that the rows are not independent and the "
                "intervals are too narrow):",
                table("together"),
            ],
        )
    ]


def forms_section(planted):
    """Returns the section on what was tried to make attention find more."""
    forms = [form for form in FORMS if any(f == form for _, f in planted)]
    rules = [rule for rule in PLANTED_RULES if len({f for r, f in planted if r == rule}) > 1]
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
            *(seeds_of(planted[rule, form]["methods"][name]["alone"]) for name in shown),
        ]
        for rule in rules
        for form in forms
        if (rule, form) in planted
    ]
    header = ["rule", "form", "test AUC", *shown.values()]
    return [
        Section(
            "What was tried to make attention find more",
            [
                "`paper` is the printed equations, without residual path and layer norm; `flatter` "
                "is `released` with an L2 penalty of 0.01 on W and b of the aggregations, which "
                "keeps their weights from settling on one field. Cells as above, without shares.",
                Table(header, rows),
            ],
        )
    ]


def curves_section(name, summary):
    """Returns the section of a data set's deletion and insertion curves."""
    rows = []
    for method in METHODS:
        row = summary["methods"][method]
        rows.append(
            [
                METHODS[method].title,
                spread(row["deletion"]["area"], 3),
                interval(row["deletion"]["against_random"], 3) if method != "random" else "–",
                spread(row["insertion"]["area"], 3),
                interval(row["insertion"]["against_random"], 3) if method != "random" else "–",
                f"{row['agreement']['correlation']:.2f}",
                f"{row['agreement']['first']:.0%}",
            ]
        )
    header = ["method", "deletion ↓", "less random's", "insertion ↑", "less random's"]
    header += ["rank correlation", "same first field"]
    return Section(
        f"{title_of(name)}: deletion and insertion",
        [
            f"InterHAt, `released`, {len(summary['seeds'])} seeds, test AUC "
            f"{spread(summary['test'])}; {summary['records']} test records. Fields are taken away, "
            "or added, one by one, the one that supports the prediction most first; a field that "
            f"is away has the values of {summary['background']} training records, over which the "
            "probability is averaged. Numbers are means of the curves, ± over seeds; differences "
            "to random fields are paired by seed, with a 95% Student interval. Deletion is better "
            "where it is lower, insertion where it is higher. The last two columns say how far the "
            "models of two seeds agree on the same record. "
            + written(
                summary,
                "python -m experiments.faithfulness.curves --dataset="
                f"{summary['data']['set'].rpartition('/')[0]}",
            ),
            picture(
                curves_figure(summary),
                f"curves_{name}",
                f"Deletion and insertion curves on {title_of(name)}",
            ),
            Table(header, rows),
        ],
    )


def sums_section(summaries):
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
    return [
        Section(
            "Contributions add up, and explaining costs little",
            [
                "The largest distance between a logit and the sum of its contributions and bias, "
                "and the rows a second of explaining beside those of predicting the same records "
                f"in turn, in batches of {summaries[0]['batch_size']:,}: medians of "
                f"{summaries[0]['rounds']} rounds, in brackets the 10% and 90% quantiles. "
                + written(
                    summaries[0], "python -m experiments.faithfulness.additivity --dataset=NAME"
                ),
                Table(header, rows),
            ],
        )
    ]


def methods_section():
    """Returns the section that says what each method is and costs."""
    rows = [[m.title, "yes" if m.signed else "no", m.cost] for m in METHODS.values()]
    header = ["method", "signed", "predictions a record, for m fields and a background of b"]
    return Section(
        "The methods",
        [
            "All but SHAP, which is the library `shap`, are in "
            "`interhat_tf.explanation.attributions`.",
            Table(header, rows, numeric=False),
        ],
    )


def curves_figure(summary):
    """Draws deletion and insertion, a line for each method.

    Args:
        summary: A summary of `experiments.faithfulness.curves`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, (kind, title) in zip(panels, CURVES.items(), strict=True):
        for method, (colour, marker) in STYLES.items():
            curve = summary["methods"][method][kind]["curve"]
            panel.plot(
                np.arange(len(curve)),
                curve,
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1.3,
                label=METHODS[method].title,
            )
        panel.set_title(f"{kind}: {'lower' if kind == 'deletion' else 'higher'} is better")
        panel.set_xlabel(title)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[0].set_ylabel("share of the prediction that is left")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def found(row):
    """Returns a cell: in how many seeds, the interval, the share."""
    return f"{seeds_of(row)}, {row['share']['mean']:.0%}"


def seeds_of(row):
    """Returns a cell: in how many seeds, the interval."""
    return f"{row['found']} [{row['low']:.0%}, {row['high']:.0%}]"


def title_of(name):
    """Returns what a data set is called."""
    return {"movielens_ctr": "MovieLens"}.get(name, name.replace("_", " ").capitalize())


def written(summary, command):
    """Returns when a summary was written, by what and where."""
    note = f" ({summary['data']['note']})" if summary["data"]["note"] else ""
    return f"Written on {summary['date']} by `{command}`{note}; {summary['versions']['machine']}."


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
