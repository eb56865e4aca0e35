"""The paper's tables and figures beside ours, on one page.

    python -m experiments.report.tables

Reads the summaries that the experiments wrote under `experiments/results` and
writes there `README.md`, with its pictures, and `index.html`, which holds all
that it shows and needs no network.
"""

import pathlib

from experiments.common.markdown import interval, pair, spread
from experiments.common.published import BARS_FRAPPE, TABLE_3, TITLES
from experiments.common.results import PUBLISHED, RESULTS_DIR
from experiments.common.running import run_program
from experiments.report.beyond_page import in_pieces, scale, serving
from experiments.report.figures import efficiency_figure, efficiency_title, sensitivity_figure
from experiments.report.movielens_page import glance_of_movielens, movielens
from experiments.report.pages import (
    NOT,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    Section,
    Table,
    picture,
    write_pages,
)
from experiments.report.speed_page import benchmark, devices, profile, scaling
from interhat_tf.utils.files import read_json

TITLE = "InterHAt: the paper's tables and figures, reproduced"
ROW_TITLES = {**TITLES, "paper": "InterHAt, `paper`", "released": "InterHAt, `released`"}
# Sections 4.1.3 and 4.1.4 of the paper, on Frappe: the best number of heads and the best order.
PAPER_HEADS, PAPER_ORDER = 1, 3
# What counts as the same AUC as a published one.
SAME_AUC = 0.003


def main(_):
    folder = pathlib.Path(RESULTS_DIR.value)
    results = {
        experiment: {
            path.parent.name: read_json(path)
            for path in sorted(folder.glob(f"{experiment}/*/summary.json"))
        }
        for experiment in ("effectiveness", "efficiency", "heads", "orders", "negatives", "lazy")
    }
    synthetic = folder / "synthetic/summary.json"
    results["synthetic"] = read_json(synthetic)["runs"] if synthetic.exists() else []
    alone = ("movielens", "pieces", "vocabulary", "latency", "scaling", "profile")
    for name in (*alone, "two_workers", "sharded_tables"):
        path = folder / name / "summary.json"
        results[name] = read_json(path) if path.exists() else None
    benchmarks = [read_json(path) for path in sorted(folder.glob("benchmark/*/*.json"))]
    sections = [
        at_a_glance(results),
        *(table_3(name, summary) for name, summary in results["effectiveness"].items()),
        *(negatives(summary) for summary in results["negatives"].values()),
        *figure_2(results["efficiency"]),
        *sensitivity(results["heads"], "Figure 3: heads", "figure_3", "number of heads"),
        *sensitivity(results["orders"], "Figure 4: highest order", "figure_4", "highest order k"),
        *movielens(results["movielens"]),
        *in_pieces(results["pieces"]),
        *benchmark(benchmarks),
        *profile(results["profile"]),
        *scaling(results["scaling"]),
        *scale(results["vocabulary"], results["lazy"]),
        *serving(results["latency"]),
        *devices(results["two_workers"], results["sharded_tables"]),
    ]
    write_pages(folder, TITLE, sections)


# What was reproduced.


def at_a_glance(results):
    """Returns the section that says of each table and figure what became of it."""
    rows = [
        ["Table 1, Criteo and Avazu", NOT_RUN, "needs Kaggle's files: `make reproduce-criteo`"],
        *(glance_of_table_3(name, results["effectiveness"].get(name)) for name in TABLE_3),
        *glance_of_rules(results["synthetic"]),
        glance_of_figure_2(results["efficiency"]),
        glance_of_sensitivity(
            "Figure 3, Frappe: one head is best",
            results["heads"].get("frappe"),
            PAPER_HEADS,
            "experiments.paper.figure_3",
        ),
        glance_of_sensitivity(
            "Figure 4, Frappe: overfitting after order 3",
            results["orders"].get("frappe"),
            PAPER_ORDER,
            "experiments.paper.figure_4",
        ),
        *glance_of_movielens(results["movielens"]),
    ]
    text = (
        "Every figure below comes from the summaries in this folder, and those from the commands "
        "that stand beside them. Means ± standard deviations over seeds. Whether explanations are "
        "true is measured on [a page of its own](faithfulness/README.md)."
    )
    return Section(
        "At a glance", [text, Table(["of the paper", "here", "why"], rows, numeric=False)]
    )


def glance_of_table_3(name, summary):
    """Returns whether Table 3's claim, InterHAt is the best of eight, comes back on a data set."""
    title = f"Table 3, {name.capitalize()}"
    if summary is None:
        return [title, NOT_RUN, f"needs Kaggle's file: `make reproduce-{name}`"]
    ours = {m: row["test"]["auc"]["mean"] for m, row in summary["models"].items()}
    ours = {m: auc for m, auc in ours.items() if m in TABLE_3[name]}
    if missing := set(TABLE_3[name]) - set(ours):
        return [title, NOT_RUN, f"without {', '.join(sorted(TITLES[m] for m in missing))}"]
    order = sorted(ours, key=ours.get, reverse=True)
    place = order.index("interhat") + 1
    ablation = ours["interhat"] > ours["interhat_s"]
    papers = sorted(order, key=lambda m: TABLE_3[name][m][0], reverse=True)
    why = (
        f"order by AUC: {', '.join(TITLES[m] for m in order)}; the paper's: "
        f"{', '.join(TITLES[m] for m in papers)}. Self-attention "
        f"{'helps' if ablation else 'does not help'} (InterHAt against InterHAt-S)"
    )
    status = REPRODUCED if place == 1 and ablation else PARTLY if ablation else NOT
    return [title, status, why]


def glance_of_rules(runs):
    """Returns what became of Table 4's rules and of Figures 8 to 10."""
    rows = []
    for rule, figure in (("rule_1", 8), ("rule_2", 9), ("rule_3", 10)):
        found = [run["found"]["combined"] for run in runs if run["rule"] == rule]
        if not found:
            continue
        share = sum(found) / len(found)
        status = REPRODUCED if share >= 0.9 else PARTLY if share > 0 else NOT
        why = f"planted fields are the highest in {sum(found)} of {len(found)} seeds"
        if rule == "rule_3":
            why += "; as printed, the best possible AUC is 0.502"
        title = f"Table 4 and Figure {figure}, Rule {rule[-1]}"
        rows.append([title, status, f"{why} ([pictures](synthetic/README.md))"])
    return rows


def glance_of_figure_2(summaries):
    """Returns whether InterHAt takes the least time of six."""
    if not summaries:
        return ["Figure 2", NOT_RUN, "`python -m experiments.paper.figure_2`"]
    places, whys = [], []
    for name, summary in summaries.items():
        six = [m for m in summary["models"] if m in TABLE_3["frappe"] and m != "interhat_s"]
        seconds = {m: summary["models"][m]["seconds_per_epoch"]["mean"] for m in six}
        places.append(sorted(six, key=seconds.get).index("interhat") + 1)
        fastest = min(six, key=seconds.get)
        whys.append(
            f"{name.capitalize()}: place {places[-1]} of {len(six)}, "
            f"{seconds['interhat'] / seconds[fastest]:.1f} times the seconds of {TITLES[fastest]}"
        )
    status = REPRODUCED if max(places) == 1 else NOT
    return ["Figure 2, least time of six models", status, "; ".join(whys)]


def glance_of_sensitivity(title, summary, papers_best, command):
    """Returns whether the paper's best value of a hyperparameter on Frappe is ours as well."""
    if summary is None:
        return [title, NOT_RUN, f"`python -m {command}`"]
    best, clear = best_point(summary)
    status = NOT if best != papers_best else REPRODUCED if clear else PARTLY
    return [title, status, f"here {best} by mean AUC{'' if clear else ', within the spread'}"]


def best_point(summary):
    """Returns the best value by mean AUC, and whether its lead exceeds the larger spread."""
    points = sorted(summary["points"], key=lambda p: p["test"]["auc"]["mean"], reverse=True)
    first, second = (point["test"]["auc"] for point in points[:2])
    clear = first["mean"] - second["mean"] > max(first["std"], second["std"])
    return points[0][summary["flag"]], clear


# Table 3.


def table_3(name, summary):
    """Returns the section of Table 3 on a data set."""
    papers = TABLE_3.get(name, {})
    public = BARS_FRAPPE if name == "frappe" else {}
    header = ["model", "test AUC", "test logloss", "paper's", "public", "InterHAt's lead in AUC"]
    header += ["parameters", "s an epoch"]
    rows = []
    order = sorted(
        summary["models"].items(), key=lambda row: row[1]["test"]["auc"]["mean"], reverse=True
    )
    for model, row in order:
        title = ROW_TITLES[model]
        rows.append(
            [
                f"**{title}**" if model == "interhat" else title,
                spread(row["test"]["auc"]),
                spread(row["test"]["logloss"]),
                pair(papers.get("interhat" if model in ("paper", "released") else model)),
                pair(public.get(model)),
                interval(summary["differences"].get(model, {}).get("auc")),
                f"{row['parameters']:,}",
                f"{row['seconds_per_epoch']['mean']:.1f}",
            ]
        )
    if "look_up" in summary:
        found = summary["look_up"]
        numbers = [f"{found['auc']:.4f}", f"{found['logloss']:.4f}"]
        rows.append(["look-up: was the pair positive in training?", *numbers, *["–"] * 5])
    seeds = next(iter(summary["models"].values()))["seeds"]
    used, note = summary["versions"], summary["data"]["note"]
    about = (
        f"Data: `{summary['data']['set']}`{', ' + note if note else ''}. Every model: "
        f"{len(next(iter(summary['trials'].values())))} trials of its declared space, chosen by "
        f"AUC − logloss on validation with seed {summary['trial_seed']}, then trained anew with "
        f"seeds {', '.join(map(str, seeds))}; the test split was read once a run. `paper` and "
        f"`released` have Table 2's settings and no search. Written on {summary['date']} by "
        f"`python -m experiments.paper.table_3`; TensorFlow {used['tensorflow']}, "
        f"Keras {used['keras']}, {used['machine']}."
    )
    legend = (
        "*Paper's* and *public* are AUC / logloss of the paper's Table 3 and of the public "
        "benchmark BARS (one seed, the best of its runs, original train negatives). *InterHAt's "
        "lead*: its AUC less the model's, paired by seed, with a 95% Student interval. "
        "*s an epoch* is one of two runs side by side, a core each; Figure 2 compares speed."
    )
    return Section(
        f"Table 3: {name.capitalize()}",
        [about, Table(header, rows), legend, *against_public(summary, public), trials(summary)],
    )


def against_public(summary, public):
    """Returns which models are within `SAME_AUC` of their public figure, and which are not."""
    if not public:
        return []
    gaps = {
        m: summary["models"][m]["test"]["auc"]["mean"] - auc
        for m, (auc, _) in public.items()
        if m in summary["models"]
    }
    within = [m for m, gap in gaps.items() if abs(gap) <= SAME_AUC]
    beyond = [f"{TITLES[m]} ({gap:+.4f})" for m, gap in gaps.items() if abs(gap) > SAME_AUC]
    text = f"Within {SAME_AUC} of the public AUC: {', '.join(TITLES[m] for m in within) or 'none'}."
    if beyond:
        text += f" Further off: {', '.join(beyond)}."
    return [text]


def trials(summary):
    """Returns the table of each model's trials."""
    rows = []
    for model, found in summary["trials"].items():
        varied = {flag for flag, values in summary["spaces"][model].items() if len(values) > 1}
        for trial in found:
            setting = {f: v for f, v in trial["setting"].items() if f in varied}
            rows.append(
                [
                    TITLES[model],
                    ", ".join(f"{flag} {value}" for flag, value in setting.items()),
                    f"{trial['validation']['auc']:.4f}",
                    f"{trial['validation']['logloss']:.4f}",
                    str(trial["epochs"]),
                ]
            )
    header = ["model", "setting", "validation AUC", "validation logloss", "epochs"]
    fold = "All trials, the chosen one of each model first"
    return Table(header, rows, fold, numeric=False)


def negatives(summary):
    """Returns the section on what the train negatives change."""
    header = ["train negatives", "model", "test AUC", "test logloss"]
    rows = [
        [row["negatives"], TITLES[row["model"]], spread(row["auc"]), spread(row["logloss"])]
        for row in summary["rows"]
    ]
    distances = ", ".join(f"{name} {value:.3f}" for name, value in summary["distances"].items())
    return Section(
        "Frappe: what the draw of the train negatives changes",
        [
            "The settings of Table 3, trained on train negatives whose apps are drawn anew, "
            "uniformly over the apps that the user never used, and by popularity; "
            f"seeds {', '.join(map(str, summary['seeds']))}"
            f"{'; given: ' + summary['data']['note'] if summary['data']['note'] else ''}.",
            Table(header, rows),
            f"Distance (total variation) of the negatives' apps from those of the original "
            f"validation negatives: {distances}. Written on {summary['date']} by "
            f"`python -m experiments.paper.frappe_negatives`.",
        ],
    )


# Figures.


def figure_2(summaries):
    """Returns the section of Figure 2."""
    if not summaries:
        return []
    figure = efficiency_figure(summaries)
    rows = []
    for name, summary in summaries.items():
        base = summary["models"]["interhat"]["seconds_per_epoch"]["mean"]
        for model, row in summary["models"].items():
            seconds = row["seconds_per_epoch"]
            layers = {f: v for f, v in row["arguments"].items() if not f.endswith("_l2")}
            rows.append(
                [
                    name.capitalize(),
                    efficiency_title(model),
                    f"{seconds['mean']:,.0f} ± {seconds['std']:,.0f}",
                    f"{seconds['mean'] / base:.2f}",
                    f"{row['rows_per_second']:,.0f}",
                    f"{row['parameters']:,}",
                    ", ".join(f"{flag} {value}" for flag, value in layers.items()),
                ]
            )
    header = ["data", "model", "s an epoch", "of InterHAt's", "rows/s", "parameters", "built with"]
    abouts = [
        f"{name.capitalize()}'s sizes: {s['sizes']['fields']} fields, "
        f"{s['sizes']['features']:,} features, batches of {s['sizes']['batch_size']:,}, "
        f"{s['sizes']['epoch_rows']:,} rows an epoch, of which {s['sizes']['rounds']} times "
        f"{s['sizes']['steps']} steps were timed; {s['device']}, {s['date']}."
        for name, s in summaries.items()
    ]
    return [
        Section(
            "Figure 2: seconds an epoch",
            [
                "All models in one process, in turn, on the same embedding, optimizer and loop. "
                + " ".join(abouts)
                + " Written by `python -m experiments.paper.figure_2 --size=criteo` and `avazu`.",
                picture(figure, "figure_2", "Bars: seconds an epoch of each model"),
                Table(header, rows, fold="Figure 2's numbers, and the sizes of the models"),
            ],
        )
    ]


def sensitivity(summaries, title, name, label):
    """Returns the section of Figure 3 or 4."""
    if not summaries:
        return []
    titles = {data.replace("_", " ").capitalize(): s for data, s in summaries.items()}
    rows = [
        [
            data,
            str(point[summary["flag"]]),
            spread(point["test"]["auc"]),
            spread(point["test"]["logloss"]),
            spread(point["validation"]["auc"]),
            f"{point['parameters']:,}",
            f"{point['seconds_per_epoch']['mean']:.1f}",
        ]
        for data, summary in titles.items()
        for point in summary["points"]
    ]
    header = ["data", label, "test AUC", "test logloss", "validation AUC", "parameters"]
    header += ["s an epoch"]
    notes = "; ".join(
        f"{data}: `{s['data']['set']}`{', ' + s['data']['note'] if s['data']['note'] else ''}, "
        f"{s['date']}, {s['versions']['machine']}"
        for data, s in titles.items()
    )
    first = next(iter(summaries.values()))
    return [
        Section(
            title,
            [
                f"InterHAt, `{first['preset']}` with Table 2's settings but for the {label}. Error "
                f"bars are standard deviations over seeds. {notes}.",
                picture(sensitivity_figure(titles, label), name, f"AUC and logloss by {label}"),
                Table(header, rows),
            ],
        )
    ]


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
