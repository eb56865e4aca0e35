"""Lists runs: the settings that differ between them, and their figures.

    interhat compare runs/*

Prints a Markdown table with a row for each run, in the order given. A folder that is no run
stands for those below it. A run that has not finished has no figures yet.
"""

from typing import Any

from absl import flags

from interhat_tf.training.run_comparison import compare_runs
from interhat_tf.utils.markdown import aligned_table
from interhat_tf.utils.short_text import shortened

REQUIRED = ("run",)
POSITIONAL = "run"

FORMATS = {name: "{:,}" for name in ("best_epoch", "epochs", "parameters")}
FORMATS |= {f"{split}_auc": "{:.5f}" for split in ("validation", "test")}
FORMATS |= {f"{split}_logloss": "{:.5f}" for split in ("validation", "test")}
FORMATS["seconds"] = "{:,.1f}"

LONGEST = 29


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    flags.DEFINE_multi_string("run", None, "folder of a run, or of several", values)
    return values


def main(values: flags.FlagValues) -> None:
    """Prints the table."""
    runs = compare_runs(values.run)
    figures = [name for name in FORMATS if any(run.get(name) is not None for run in runs)]
    names = [*(name for name in runs[0] if name not in FORMATS), *figures]
    rows = [[_cell(name, run.get(name)) for name in names] for run in runs]
    print(aligned_table([name.replace("_", " ") for name in names], rows, _numeric(names, runs)))


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in FORMATS:
        return FORMATS[name].format(value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if name == "run" else shortened(text, LONGEST)


def _numeric(names: list[str], runs: list[dict[str, Any]]) -> list[str]:
    """Returns the titles of the columns of numbers."""
    return [
        name.replace("_", " ")
        for name in names
        if all(run.get(name) is None or type(run[name]) in (int, float) for run in runs)
    ]
