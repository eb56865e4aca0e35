"""What is run by the Python that has the libraries loaded is a process as any other."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.usefixtures("quick_processes")


def run(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, **options)


def test_it_has_the_callers_arguments_folder_environment_and_streams(tmp_path):
    script = "import os, sys; print(*sys.argv, os.getcwd(), os.environ['SIZE'], input())"
    done = run("-c", script, "a", "b", cwd=tmp_path, env={"SIZE": "7"}, input="given\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"-c a b {tmp_path} 7 given\n", "")


def test_the_libraries_are_loaded_and_this_one_is_not():
    script = "import sys; assert 'tensorflow' in sys.modules and 'interhat_tf' not in sys.modules"
    assert run("-c", script).returncode == 0


def test_it_runs_modules_of_this_repository():
    assert run("-m", "interhat", "--version").stdout.startswith("interhat ")


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('error: wrong')", 1, "error: wrong\n"),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0, ""),
        ("import os; os.kill(os.getpid(), 11)", -11, ""),
    ],
)
def test_it_ends_as_its_script_does(script, status, said):
    done = run("-c", script)
    assert (done.returncode, done.stderr) == (status, said)


def test_a_process_whose_caller_is_killed_is_killed():
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        pid = int(process.stdout.readline())
        process.kill()
        assert process.wait() == -9
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("it is alive")


def test_multiprocessing_starts_its_processes_with_it():
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as pool:
        assert "tensorflow" in pool.submit(eval, "list(__import__('sys').modules)").result()
        assert list(pool.map(abs, [-1, 2])) == [1, 2]


@pytest.mark.slow
def test_another_backend_has_a_process_of_its_own():
    script = "import sys; assert 'tensorflow' not in sys.modules"
    assert run("-c", script, env={**os.environ, "KERAS_BACKEND": "jax"}).returncode == 0
