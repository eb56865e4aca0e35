import subprocess
import sys

import pytest

from experiments.generated_logs.generator import read_truth


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_the_program_writes_and_says_what_is_possible(tmp_path):
    def run(*arguments):
        # Programs share names of flags: one for each process.
        command = [sys.executable, "-m", "experiments.generate_click_log", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    path = tmp_path / "train.csv"
    path.write_text("a log of before")
    arguments = ("--format=avazu", "--rows=2000", f"--output={path}", "--seed=3")
    assert run(*arguments).stderr.splitlines()[-1] == f"error: {str(path)!r} is there already"
    assert path.read_text() == "a log of before"
    done = run(*arguments, "--overwrite")
    assert done.returncode == 0
    truth = read_truth(path)
    assert truth["seed"] == 3
    assert "2,000 rows" in done.stdout
    best = truth["best"]
    assert f"AUC {best['auc']:.4f}, logloss {best['logloss']:.4f}" in done.stdout
    assert "site_category, C18, C21" in done.stdout
