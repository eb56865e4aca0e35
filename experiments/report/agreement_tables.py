"""The tables of how far explanations and order weights agree with exact effects on real logs."""

from collections.abc import Callable

from experiments.common.markdown import interval, spread
from experiments.common.statistics import paired_difference
from experiments.faithfulness.methods import HOW_TRAINED, PLAIN
from experiments.report import planted_tables
from experiments.report.blocks import Table
from experiments.report.cells import Summary, set_of, table

# What `experiments.faithfulness.agreement` says of the models of a row.
ABOUT_MODELS = {
    "data": set_of,
    "preset": "`{preset}`",
    "attention is": "{form}",
    "seeds": lambda row: str(len(row["seeds"])),
    "written on": "{date}",  # `tuned` has changed
}
# What says whether weights see the record: a ranking that does not is what they have to be above.
FOLLOWED = ("attention", "constant")


def agreed(summaries: list[Summary]) -> Table:
    """Returns the table of how far explanations rank fields as their effects do."""
    columns = {
        **ABOUT_MODELS,
        "attention": of_seeds("attention"),
        "contributions": of_seeds("contributions"),
        "one-pass effects": of_seeds("one_pass"),
        "the same for all records": of_seeds("constant"),
        "attention − that": lambda row: interval(
            paired_difference(*([run[key] for run in row["runs"]] for key in FOLLOWED)), 2
        ),
        "other background": of_seeds("ceiling"),
        "AUC lost": of_seeds("auc_lost", 4),
        "largest error": "{largest_error[mean]:.1e}",
    }
    return table(columns, summaries)


def one_pass(summaries: list[Summary]) -> Table:
    """Returns the table of how good the models are, and their effects of one pass."""
    plain = {(s["data"]["set"], s["preset"]): s["runs"] for s in summaries if s["form"] == PLAIN}

    def against_plain(metric):
        def cell(row):
            others = plain.get((row["data"]["set"], row["preset"]))
            if row["form"] == PLAIN or not others:
                return "–"
            return difference(metric, row["runs"], others)

        return cell

    columns = {
        **ABOUT_MODELS,
        "test AUC": of_seeds("auc", 4),
        "− plain": against_plain("auc"),
        "logloss": of_seeds("logloss", 4),
        "logloss − plain": against_plain("logloss"),
        "R² of effects": of_seeds("r2"),
        "R² of pairs": of_seeds("pair_r2"),
        "ranks of pairs": of_seeds("pair_rank_correlation"),
    }
    return table(columns, summaries)


def difference(metric: str, runs: list[Summary], others: list[Summary]) -> str:
    """Returns a cell: what runs have above others, seed by seed."""
    return interval(paired_difference(*([run[metric] for run in of] for of in (runs, others))))


def orders_agreed(summaries: list[Summary]) -> Table:
    """Returns the table of how far order weights agree with the shares of logs of real clicks."""
    rows = [
        {**summary, "form": form, "rows": rows}
        for summary in summaries
        for form, rows in summary["forms"].items()
    ]

    def mean(key):
        return lambda row: planted_tables.averaged([of_seed[key] for of_seed in row["rows"]])

    def means(key):
        return lambda row: planted_tables.mean_weights(row["rows"], key)

    def against_plain(metric):
        return lambda row: (
            "–" if row["form"] == PLAIN else difference(metric, row["rows"], row["forms"][PLAIN])
        )

    columns = {
        **ABOUT_MODELS,
        "α_f": mean("alpha_f"),
        "the same for all records": mean("constant"),
        "other donors": mean("ceiling"),
        "mean shares": means("mean_shares"),
        "mean α_f": means("mean_alpha_f"),
        "AUC − plain": against_plain("auc"),
        "logloss − plain": against_plain("logloss"),
    }
    return table(columns, rows)


def of_models(summary: Summary) -> tuple[str, str, int]:
    """Returns what rows of `experiments.faithfulness.agreement` are sorted by."""
    return summary["data"]["set"], summary["preset"], HOW_TRAINED.index(summary["form"])


def of_seeds(name: str, digits: int = 2) -> Callable[[Summary], str]:
    """Returns the cell of a figure's mean over the seeds, and their spread if there are several."""

    def cell(row: Summary) -> str:
        several = len(row["seeds"]) > 1
        return spread(row[name], digits) if several else f"{row[name]['mean']:.{digits}f}"

    return cell
