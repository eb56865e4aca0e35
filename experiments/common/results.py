"""Where results are written, and what each of them says of when and how it was measured.

Results of one's own lie under `runs/results`, which Git ignores; the published ones, which the
pages show, under `experiments/results`. `--results_dir=experiments/results` overwrites those.
"""

import datetime
import importlib.metadata
import pathlib
from typing import Any

from absl import flags

from interhat_tf.utils.files import read_json, write_json
from interhat_tf.utils.provenance import versions

PUBLISHED = "experiments/results"

RESULTS_DIR = flags.DEFINE_string("results_dir", "runs/results", "folder of the results")


def record(*libraries: str, **more: Any) -> dict[str, Any]:
    """Returns the record that every summary starts with: the date, all versions, the machine.

    Args:
        *libraries: Installed packages whose version is kept beside TensorFlow's and Keras'.
        **more: What else belongs to it, such as `seeds` or `device`.
    """
    installed = {name: importlib.metadata.version(name) for name in libraries}
    today = datetime.date.today().isoformat()
    return {"date": today, "versions": {**versions(), **installed}, **more}


def result_path(name: str) -> pathlib.Path:
    """Returns the path of a result's file under `--results_dir`."""
    return pathlib.Path(RESULTS_DIR.value) / name


def write_result(name: str, summary: dict[str, Any]) -> None:
    """Writes a summary as JSON, such as `"table_3/frappe/summary.json"`, and says where."""
    write_json(result_path(name), summary)
    print(f"wrote {result_path(name)}")


def read_result(name: str) -> dict[str, Any] | None:
    """Returns a summary, `None` if it is not there."""
    path = result_path(name)
    return read_json(path) if path.exists() else None


def read_results(pattern: str) -> dict[str, dict[str, Any]]:
    """Returns the summaries whose path matches a pattern, in order of their paths.

    Args:
        pattern: Such as `"table_3/*/summary.json"`. The keys are the names of the folders; where
            it is the file that varies, with its name.
    """
    paths = sorted(pathlib.Path(RESULTS_DIR.value).glob(pattern))
    own_name = pattern.endswith("*.json")
    names = [f"{p.parent.name}/{p.stem}" if own_name else p.parent.name for p in paths]
    return dict(zip(names, map(read_json, paths), strict=True))
