"""What the Makefile's targets do, and which programs they start."""

import pathlib
import re
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
    assert f"--dataset=frappe/{split}" in printed


def test_a_folder_of_results_may_have_a_space():
    printed = make(MAKEFILE.parent, "-n", "page", "RESULTS=my results")
    assert '--results_dir="my results"' in printed


@pytest.mark.parametrize("target", ["table-3", "figure-3", "figure-4"])
def test_a_table_or_figure_has_its_own_program_on_the_log_that_is_given(target):
    given = ["AVAZU=log.csv", "EPOCHS=2", "MODELS=fm dnn"]
    printed = make(MAKEFILE.parent, "-n", target, *given).replace("\\\n", "")
    (program,) = re.findall(r"-m experiments\.paper\.(.*)", printed)
    assert program.split()[0] == target.replace("-", "_")
    assert '--dataset=avazu --raw_dir="log.csv"' in " ".join(program.split())
    assert "--epochs=2" in program
    assert ("--models=fm --models=dnn" in program) == (target == "table-3")


@pytest.mark.parametrize("name", ["criteo", "avazu"])
def test_all_models_are_trained_on_the_log_that_interhat_is(name):
    given = [f"{name.upper()}=log", "EPOCHS=2", "SEEDS=0 1", "MODELS=all"]
    printed = make(MAKEFILE.parent, "-n", f"reproduce-{name}", *given).replace("\\\n", "")
    alone, others = re.findall(r"-m experiments\.paper\.(.*)", printed)
    for program in (alone, others):
        assert f'--dataset={name} --raw_dir="log"' in program and "--epochs=2" in program
    assert alone.split()[-2:] == ["--seeds=0", "--seeds=1"] and "--models" not in others


def test_rules_are_trained_with_the_seeds_that_are_given():
    printed = make(MAKEFILE.parent, "-n", "reproduce", "SEEDS=3 4", "EPOCHS=2")
    assert "--epochs=2 --seeds=3 --seeds=4" in printed
