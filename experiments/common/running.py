"""What the programs share: how they end, how they start training runs, how they report."""

import concurrent.futures
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from absl import app, flags, logging
from tqdm.auto import tqdm

from interhat_tf.commands import define_debug_flag, parse_flags
from interhat_tf.errors import InterhatError, ending_programs
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.models.presets import hyperparameters
from interhat_tf.utils.files import read_json, write_json
from interhat_tf.utils.threads import available_cores

PROGRAMS = dict.fromkeys(("lightgbm", "ebm"), "experiments.trees.train")
"""The module that trains a model which is none of the library's, by the model's name.

It takes the flags `dataset`, `data_dir`, `model`, `seed`, `output_dir`, `test` and `resume`, as
`experiments.train` does, and those of its model's search space, and writes the same
`report.json`; its `config` has the data's digests as `data`.
"""


class RunFailed(InterhatError, ValueError):
    """A training run that ended with an error; the message names the run and the error."""


def run_program(main: Callable, required: Iterable[str] = (), **defaults: Any) -> None:
    """Runs an absl program; an expected error is one line on standard error, not a traceback.

    Args:
        main: The program, called with its name once the flags are parsed.
        required: Names of the flags without which it does not run.
        **defaults: Values of shared flags, where the program has others than most.

    Example:

        if __name__ == "__main__":
            run_program(main, required=["dataset"], seeds=[0])
    """
    # tfds notes every step of its work.
    logging.set_verbosity(logging.ERROR)
    for name, value in defaults.items():
        flags.FLAGS.set_default(name, value)
    if "debug" not in flags.FLAGS:
        define_debug_flag(flags.FLAGS)
    _list_shared_flags()
    with ending_programs("--debug" in sys.argv):
        parse = functools.partial(parse_flags, flags.FLAGS, required=required)
        app.run(main, flags_parser=parse)


def _list_shared_flags():
    """Makes `--help` list the flags of the imported modules beside the program's own."""
    for module, of_module in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith(("experiments.", "interhat_tf.")):
            for flag in of_module:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def train_runs(
    runs: Sequence[dict[str, Any]], workers: int, keep_failures: bool = False
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Trains several runs, each in its own process; one that is done is not run again.

    A run is done if its folder has a report and it was started with the same
    flags and the same hyperparameters of its preset. The folder of a run on other
    data than the prepared set has now is removed, and the run starts again.

    Args:
        runs: For each run, the flags of `experiments.train` as a dictionary,
            `output_dir` among them; a list is a flag given several times.
        workers: Runs that are trained at the same time. A single one shows its progress.
        keep_failures: Whether the report of a run that fails is its error,
            `{"failed": message}`. Defaults to `False`: it ends all.

    Yields:
        Pairs of a run and its report, as they finish.

    Raises:
        RunFailed: If a run fails; the message is the run's own, unless that
            has been shown.
    """
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        # Runs at the same time are faster with a core each than with all cores shared.
        threads = str(max(1, available_cores() // workers))
        environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": threads}
        errors = None if workers == 1 else subprocess.PIPE
        futures = {pool.submit(_train, run, environment, errors): run for run in runs}
        try:
            done = concurrent.futures.as_completed(futures)
            # Two bars would write over each other.
            hidden = True if workers == 1 else None
            for future in tqdm(done, total=len(futures), desc="runs", unit="run", disable=hidden):
                if keep_failures and isinstance(error := future.exception(), RunFailed):
                    yield futures[future], {"failed": str(error)}
                else:
                    yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def train_command(run: Mapping[str, Any]) -> list[str]:
    """Returns the command that trains a run, or resumes it.

    Args:
        run: Its flags; a list is a flag given several times.
    """
    program = PROGRAMS.get(run.get("model", ""), "experiments.train")
    return [sys.executable, "-m", program, "--resume", *flag_arguments(run)]


def flag_arguments(flag_values: Mapping[str, Any]) -> list[str]:
    """Returns flags as a command line has them; a list is a flag given several times."""
    return [
        f"--{name}={v}"
        for name, value in flag_values.items()
        for v in (value if isinstance(value, list) else [value])
    ]


def _train(run, environment, errors):
    folder = pathlib.Path(run["output_dir"])
    report, known = folder / "report.json", folder / "asked.json"
    preset = hyperparameters(
        run.get("dataset"), run.get("preset", "released"), run.get("model", "interhat")
    )
    # As JSON has it, where a tuple is a list.
    asked = json.loads(json.dumps({"flags": run, "hyperparameters": preset}))
    if _is_of_other_data(run, folder):
        print(f"{folder} is removed: its run is of other data than {run['dataset']} is now")
        shutil.rmtree(folder)
    # Starting TensorFlow to find that nothing is to be done would take seconds.
    if report.exists() and known.exists() and read_json(known) == asked:
        return read_json(report)
    command = train_command(run)
    result = subprocess.run(
        command, env=environment, stdout=errors, stderr=errors, text=True, check=False
    )
    if result.returncode:
        lines = [f"exit status {result.returncode}", *(result.stderr or "").strip().splitlines()]
        raise RunFailed(f"{run['output_dir']}: {lines[-1]}")
    write_json(known, asked)
    return read_json(report)


def _is_of_other_data(run, folder):
    """Returns whether a folder's run was trained on other data than its set has now.

    A set that is not there, and a run that does not say what it was trained on, say nothing.
    """
    trained_on = _config(folder).get("data")
    if not trained_on or "data_dir" not in run:
        return False
    root = pathlib.Path(run["data_dir"])
    written = [
        path.stat().st_mtime_ns for path in root.glob(f"{run['dataset']}/**/dataset_info.json")
    ]
    return bool(written) and _digests(run["dataset"], str(root), max(written)) != trained_on


def _config(folder):
    """Returns what a folder's run is; trees say it in their report alone."""
    for name in ("config.json", "report.json"):
        if (folder / name).exists():
            found = read_json(folder / name)
            return found if name == "config.json" else found.get("config", {})
    return {}


@functools.lru_cache
def _digests(dataset, data_dir, written):
    """Returns what a prepared set holds; it is read again once it was written again."""
    del written
    return prepared_dataset(dataset, data_dir).digests
