"""What the pages say of Table 1: the paper's counts of each data set beside ours."""

from experiments.common.published import SCALES, TABLE_1, papers_count
from experiments.common.results import read_result
from experiments.common.table_3_files import read_table_3
from experiments.report.blocks import Table
from experiments.report.cells import Summary

ROWS = [
    "fields (categorical + numerical)",
    "records",
    "distinct features",
    "train / validation / test",
    "click rate",
]


def read_statistics() -> dict[str, Summary]:
    """Returns the statistics of those of the paper's data sets that an experiment has read."""
    found = {}
    for name in TABLE_1:
        # A generated log is another data set; its results have another name.
        if summary := read_result(f"{name}/summary.json") or read_table_3(name):
            found[name] = summary["data"]["statistics"]
    return found


def table_1() -> list[Summary]:
    """Returns what the page of results says of Table 1, without a data set nothing."""
    statistics = read_statistics()
    names = ", ".join(name.capitalize() for name in statistics)
    return [{"names": names, "counts": counts_table(statistics)}] if statistics else []


def counts_table(statistics: dict[str, Summary]) -> Table:
    """Returns the paper's Table 1 with our counts of the data sets whose statistics are given."""
    header, columns = [""], [ROWS]
    for name, found in statistics.items():
        header += [f"{name.capitalize()}, paper", "here"]
        columns += [_papers(name), _ours(found)]
    return Table(header, list(zip(*columns, strict=True)))


def same_count(papers: str, ours: int) -> bool:
    """Returns whether a count is the paper's, to the last digit that the paper prints.

    Whether the paper rounds or cuts is not said, and it seems to do both.

    Example:

    >>> same_count("13.8M", 13_752_185), same_count("288K", 288_609), same_count("5,382", 5_381)
    (True, True, False)
    """
    unit = SCALES.get(papers[-1], 1)
    digits = len(papers.rstrip("KM").partition(".")[2])
    return abs(ours - papers_count(papers)) < unit * 10**-digits


def counts(found: Summary) -> dict[str, str]:
    """Returns a data set's counts of Table 1, as a page has them."""
    return {
        "fields": f"{found['categorical_fields']} + {found['numerical_fields']}",
        "records": f"{found['records']:,}",
        "features": f"{found['distinct_features']:,}",
    }


def agreement(name: str, found: Summary) -> dict[str, bool]:
    """Returns which of a data set's counts are the paper's."""
    paper = TABLE_1[name]
    return {
        "fields": counts(found)["fields"] == paper["fields"],
        "records": same_count(paper["records"], found["records"]),
        "features": same_count(paper["features"], found["distinct_features"]),
    }


def _papers(name):
    return [*TABLE_1[name].values(), "8:1:1", "–"]


def _ours(found):
    splits = found["splits"].values()
    return [
        *counts(found).values(),
        " / ".join(f"{split['rows']:,}" for split in splits),
        f"{sum(split['positives'] for split in splits) / found['records']:.4f}",
    ]
