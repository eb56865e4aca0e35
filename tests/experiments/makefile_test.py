"""What the Makefile's targets do, and which programs they start."""

import pathlib
import subprocess

import pytest

MAKEFILE = pathlib.Path(__file__).parents[2] / "Makefile"


def make(folder, *arguments):
    """Runs `make` in a folder and returns what it prints."""
    command = ["make", "-f", str(MAKEFILE), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_what_is_cleaned_is_not_the_results(tmp_path):
    make(tmp_path, "clean")  # nothing is there yet
    for name in ("prepared/frappe", "runs/frappe/fm-1", "runs/.hidden", "runs/results/table_3"):
        (tmp_path / name).mkdir(parents=True)
    make(tmp_path, "clean")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "runs",
        "runs/results",
        "runs/results/table_3",
    ]


@pytest.mark.parametrize(("split", "started"), [("nfm", True), ("unseen_pairs", False)])
def test_negatives_are_drawn_again_in_the_split_that_has_their_files(split, started):
    given = ["FRAPPE=folder", f"SPLIT={split}", "-n"]
    printed = make(MAKEFILE.parent, "reproduce-frappe", *given)
    assert ("experiments.paper.frappe_negatives" in printed) == started
    assert "experiments.paper.table_3" in printed


def test_a_folder_of_results_may_have_a_space():
    printed = make(MAKEFILE.parent, "-n", "page", "RESULTS=my results")
    assert '--results_dir="my results"' in printed
