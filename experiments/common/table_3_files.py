"""The results of Table 3's experiment: a file for each row, read together and compared.

`table_3/DATASET/ROW.json` has `trials`, each with its `setting`, and what `study_record` says of
data, date and versions. Once the search is over it has `space`; `edges`, what the search left at
the edge of its space; and `setting`, the chosen one; then `row`, the final runs, as
`studies.summarise` returns them.
"""

import pathlib
from typing import Any

from experiments.common.published import CONTENDERS
from experiments.common.results import PUBLISHED, read_result, read_results, result_path
from experiments.common.statistics import leads
from interhat_tf.utils.files import read_json

Record = dict[str, Any]

REFERENCE = "interhat"
MEMORISATION = "memorisation"


def file_name(dataset: str, row: str) -> str:
    """Returns the name of a row's file among the results."""
    return f"table_3/{dataset}/{row}.json"


def chosen_setting(dataset: str, row: str) -> dict[str, Any] | None:
    """Returns the setting that a row's search chose, in one's own results or the published ones.

    Returns:
        Dictionary from a flag to its value, `None` if neither has the row.
    """
    name = file_name(dataset, row)
    published = pathlib.Path(PUBLISHED) / name
    records = read_result(name), read_json(published) if published.exists() else None
    settings = [record["setting"] for record in records if record and "setting" in record]
    return settings[0] if settings else None


def read_tables_3() -> list[Record]:
    """Returns the tables of all data sets that have rows, as `read_table_3` does."""
    folders = sorted(path.name for path in result_path("table_3").glob("*") if path.is_dir())
    return [found for name in folders if (found := read_table_3(name))]


def read_table_3(dataset: str) -> Record | None:
    """Returns all rows of a data set that are there, `None` without any.

    Returns:
        Dictionary of `name`; `models`, the rows' final runs; `records`, the files; `differences`,
        InterHAt's leads; `memorisation`, that baseline's figures, and `best`, the best possible
        ones, where they are known; and `data`, `date` and `versions` of the latest file.
    """
    records = read_results(file_name(dataset, "*"))
    records = {path.removeprefix(f"{dataset}/"): record for path, record in records.items()}
    memory = records.pop(MEMORISATION, None)
    names = list(dict.fromkeys([*CONTENDERS, *records]))
    records = {name: records[name] for name in names if "row" in records.get(name, {})}
    if not records:
        return None
    latest = max(records.values(), key=lambda record: record["date"])
    rows = {name: record["row"] for name, record in records.items()}
    return {
        "name": dataset,
        "models": rows,
        "records": records,
        "differences": leads(rows, REFERENCE),
        MEMORISATION: memory and memory[MEMORISATION],
        "best": latest.get("best"),
        **{key: latest[key] for key in ("data", "date", "versions")},
    }
