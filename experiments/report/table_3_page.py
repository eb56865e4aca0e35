"""What the page says of Table 3, and on what Frappe's train negatives change of it."""

from experiments.common.markdown import interval, pair, spread
from experiments.common.published import (
    CONTENDERS,
    FORMS,
    PAIRS_ROW,
    PUBLIC,
    TABLE_3,
    TARGET_ROW,
    TITLES,
    Titles,
    sample_note,
)
from experiments.common.statistics import leads
from experiments.common.table_3_files import MEMORISATION, REFERENCE, read_table_3
from experiments.report.blocks import Table
from experiments.report.cells import (
    TEST_SCORES,
    Cell,
    Summary,
    attention_worth,
    lead_of,
    named,
    table,
    title_of,
    way_of,
)

ROW_TITLES = Titles({**CONTENDERS, REFERENCE: f"**{CONTENDERS[REFERENCE]}**"})
VARIANTS = {
    "tuned": "of `tuned`, as it comes",
    PAIRS_ROW: "with values of pairs",
    TARGET_ROW: "the history pooled by the item at hand",
}
# Rows beside which the paper's InterHAt stands.
AS_INTERHAT = dict.fromkeys(set(FORMS) - {"interhat_s"}, REFERENCE)
LEADS = {"InterHAt's lead, AUC": "auc", "InterHAt's lead, logloss": "logloss"}
AUC_BY = "auc_by_"
# The set of the same records without what came before, by the set with it.
WITHOUT_HISTORY = {"movielens_ctr_history": "movielens_ctr_no_history"}
# What counts as the same AUC as a published one.
SAME_AUC = 0.003


def table_3(summary: Summary) -> Summary:
    """Returns the tables of the rows and of their searches on a data set."""
    name = summary["name"]
    public = PUBLIC["Frappe_x1"] if name == "frappe" else {}
    rows = named(summary["models"])
    rows.sort(key=lambda row: row["test"]["auc"]["mean"], reverse=True)
    return {
        "title": title_of(name),
        "sample": sample_note(name, summary["data"]["statistics"]),
        "scores": scores(summary, rows, public),
        "variants": leads_of_variants(summary, rows),
        "best": [summary["best"]["test"]] if summary["best"] else [],
        "earlier": earlier_study(summary),
        "more_seeds": len({len(row["seeds"]) for row in rows}) > 1,
        "as_printed": any(not record["trials"] for record in summary["records"].values()),
        "gaps": against_public(summary, public),
        "searches": searches(summary, rows),
        "all_trials": trials(summary),
    }


def scores(summary: Summary, rows: list[Summary], public: Summary) -> Table:
    """Returns the table of the rows' figures, the memorisation baseline last."""
    papers = TABLE_3.get(summary["name"], {})
    columns = {
        "model": lambda row: ROW_TITLES[row["name"]],
        "validation": validation,
        **TEST_SCORES,
        **auc_within(rows),
        "seeds": lambda row: str(len(row["seeds"])),
        **{title: lead_of(summary, metric) for title, metric in LEADS.items()},
        "attention's worth, AUC": attention_worth,
        "paper's": lambda row: pair(papers.get(AS_INTERHAT.get(row["name"], row["name"]))),
        "public": lambda row: pair(public.get(row["name"])),
        "parameters": "{parameters:,}",
        "s an epoch": seconds_of_an_epoch,
    }
    led = dict.fromkeys(LEADS, summary["differences"])
    known = {"paper's": papers, "public": public, **led}
    columns = {title: cell for title, cell in columns.items() if known.get(title, True)}
    if summary["best"] and "lr" in summary["models"]:
        first = summary["models"]["lr"]["test"]["auc"]["mean"]
        columns["of the way"] = way_of(summary, "test", first)
    found = table(columns, rows)
    if memory := summary[MEMORISATION]:
        cells = {
            "model": f"memorisation baseline: {' and '.join(memory['fields'])}",
            "test AUC": f"{memory['auc']:.4f}",
            "test logloss": f"{memory['logloss']:.4f}",
        }
        found.rows.append([cells.get(title, "–") for title in columns])
    return found


def leads_of_variants(summary: Summary, rows: list[Summary]) -> list[Summary]:
    """Returns what InterHAt's variants are that are rows, and the leads of each."""
    titles = {row["name"]: CONTENDERS[row["name"]] for row in rows}
    others = dict(summary["models"])
    other_set = WITHOUT_HISTORY.get(summary["name"])
    without = read_table_3(other_set) if other_set else None
    if without and REFERENCE in without["models"]:
        titles[without["name"]] = "InterHAt, without the history"
        others[without["name"]] = without["models"][REFERENCE]
    return [
        {"what": what, "leads": leads_table(name, titles, others)}
        for name, what in VARIANTS.items()
        if name in summary["models"]
    ]


def leads_table(variant: str, titles: dict[str, str], rows: dict[str, Summary]) -> Table:
    """Returns how much a row's test figures exceed each other one's."""
    found = leads(rows, variant)
    metrics = {"AUC": "auc", "logloss": "logloss", "AUC within a user": f"{AUC_BY}user"}
    columns = {
        "less": lambda name: titles[name],
        **{
            title: lambda name, metric=metric: interval(found[name].get(metric))
            for title, metric in metrics.items()
            if metric in rows[variant]["test"]
        },
    }
    return table(columns, [name for name in titles if name in found])


def seconds_of_an_epoch(row: Summary) -> str:
    """Returns the seconds of the quickest run: what else the machine did can only add to them."""
    return f"{min(run['seconds'] / run['epochs'] for run in row['runs']):.1f}"


def auc_within(rows: list[Summary]) -> dict[str, Cell]:
    """Returns the columns of the AUCs within a field's values, where rows have them."""
    fields = {name.removeprefix(AUC_BY) for row in rows for name in row["test"] if AUC_BY in name}
    return {
        f"AUC within a {field}": lambda row, of=AUC_BY + field: (
            spread(row["test"][of]) if of in row["test"] else "–"
        )
        for field in sorted(fields)
    }


def validation(row: Summary) -> str:
    """Returns the means on validation of AUC and logloss."""
    return pair([row["validation"][metric]["mean"] for metric in ("auc", "logloss")])


def against_public(summary: Summary, public: dict) -> str:
    """Returns which models are within `SAME_AUC` of their public figure, and which are not."""
    gaps = {
        model: summary["models"][model]["test"]["auc"]["mean"] - auc
        for model, (auc, _) in public.items()
        if model in summary["models"]
    }
    if not gaps:
        return ""
    within = [CONTENDERS[model] for model, gap in gaps.items() if abs(gap) <= SAME_AUC]
    beyond = [f"{CONTENDERS[m]} ({gap:+.4f})" for m, gap in gaps.items() if abs(gap) > SAME_AUC]
    text = f"Within {SAME_AUC} of the public AUC: {', '.join(within) or 'none'}."
    return text + (f" Further off: {', '.join(beyond)}." if beyond else "")


def earlier_study(summary: Summary) -> str:
    """Returns which rows are an earlier study's; their files do not say what they were asked."""
    earlier = [CONTENDERS[name] for name, r in summary["records"].items() if "asked" not in r]
    if not earlier:
        return ""
    return (
        f"From an earlier study, without averaged weights and without trials beyond an edge, of "
        f"spaces that were narrower: {', '.join(earlier)}."
    )


def searches(summary: Summary, rows: list[Summary]) -> Table:
    """Returns the table of the chosen settings: what was searched, and what is at an edge."""
    records = [summary["records"][row["name"]] for row in rows]
    columns = {
        "model": lambda record: CONTENDERS[record["name"]],
        "trials": trials_of,
        "chosen": lambda record: setting_of(record, record["setting"]),
        "at the edge": lambda record: ", ".join(record["edges"]) or "none",
        "written": "{date}",
    }
    return table(columns, records, numeric=False)


def trials_of(record: Summary) -> str:
    """Returns how many settings were drawn, how many were beyond an edge, how many failed."""
    trials = record["trials"]
    if not trials:
        return "none"
    wider = sum(trial["why"] == "wider" for trial in trials)
    failed = sum("failed" in trial for trial in trials)
    text = f"{len(trials) - wider} + {wider}" if wider else str(len(trials))
    return f"{text}, {failed} failed" if failed else text


def setting_of(record: Summary, setting: Summary) -> str:
    """Returns the flags of a setting that were searched; all, if none was."""
    space = record["space"]
    searched = [flag for flag in setting if len(space[flag]) > 1] or list(setting)
    return ", ".join(f"{flag} {setting[flag]}" for flag in searched)


def trials(summary: Summary) -> Table:
    """Returns the table of each row's trials."""

    def figure(metric):
        return lambda t: "failed" if "failed" in t else f"{t['validation'][metric]:.4f}"

    columns = {
        "model": lambda trial: CONTENDERS[trial["of"]["name"]],
        "setting": lambda trial: setting_of(trial["of"], trial["setting"]),
        "why": "{why}",
        "validation AUC": figure("auc"),
        "validation logloss": figure("logloss"),
        "epochs": lambda trial: str(trial.get("epochs", "–")),
    }
    records = summary["records"].values()
    rows = [{"of": record, **trial} for record in records for trial in record["trials"]]
    fold = "All trials, the chosen one of each model first"
    return table(columns, rows, fold=fold, numeric=False)


def frappe_negatives(summary: Summary) -> Summary:
    """Returns the table of what the train negatives change, and their distances."""
    columns = {
        "train negatives": "{negatives}",
        "model": lambda row: TITLES[row["model"]],
        "test AUC": lambda row: spread(row["auc"]),
        "test logloss": lambda row: spread(row["logloss"]),
    }
    distances = (f"{name}: {value:.3f}" for name, value in summary["distances"].items())
    return {
        "scores": table(columns, summary["rows"]),
        "listed_distances": "; ".join(distances),
    }
