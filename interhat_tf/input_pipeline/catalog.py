"""Data sets by name: finds a set's builder, prepares the set once, opens it."""

import contextlib
import dataclasses
import difflib
import fcntl
import inspect
import io
import os
import pkgutil
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from interhat_tf import datasets
from interhat_tf.crosses import Cross
from interhat_tf.errors import DataError, SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.input_pipeline.set_files import open_builder
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.log_files import check_address
from interhat_tf.utils.registry import Registry

Path = str | os.PathLike
"""A file or a folder."""

BUILDERS = Registry("data set", "interhat_tf.datasets")
"""Builders of other packages, each a `ClickLogBuilder`, by their data set's name."""


def prepared_dataset(
    name: str,
    data_dir: Path,
    raw_dir: Path | None = None,
    *,
    crosses: Iterable[Cross | Sequence[str]] = (),
    **download_config: Any,
) -> PreparedDataset:
    """Opens a data set by name, and prepares it first if that has not been done.

    Preparation writes to a temporary folder that is renamed when complete, so
    that an interrupted one leaves nothing that could be taken for a data set;
    the next one removes what it left. If two processes prepare the same set, the
    second waits for the first and uses its result.

    Args:
        name: `"NAME"` or `"NAME/CONFIG"`, say `"synthetic_rules/rule_1"`, or
            the name of a set that `prepare_click_log` prepared.
        data_dir: Folder of the prepared sets.
        raw_dir: Folder of the original files, for sets that cannot be
            downloaded. Defaults to `None`, for sets that need none. Where the set is
            prepared already, they are read and compared with what it was made from.
        crosses: The crosses of its schema; see `PreparedDataset.with_crosses`.
            Defaults to none. They are no part of the prepared files: one set
            opens with any.
        **download_config: Further arguments of `tfds.download.DownloadConfig`,
            say `beam_options`.

    Returns:
        The `PreparedDataset`.

    Raises:
        ValueError: If there is no data set of this name, an original file is
            damaged or was changed since the set was prepared, or a cross is wrong.
        FileNotFoundError: If an original file is missing.
        TypeError: If there is no such argument.
    """
    check_arguments(download_config, prepared_dataset)
    data_dir = os.path.expanduser(data_dir)  # as tfds does to read, but not to write
    if raw_dir is not None:
        raw_dir = os.path.expanduser(raw_dir)
    if name.partition("/")[0] not in dataset_names():
        return PreparedDataset(_prepared_builder(name, data_dir)).with_crosses(crosses)
    builder_class, config = _find_builder(name)
    builder = builder_class(data_dir=data_dir, config=config)
    return prepare(builder, raw_dir, **download_config).with_crosses(crosses)


def dataset_names() -> list[str]:
    """Returns the names of the data sets that have a builder, here or in `BUILDERS`."""
    own = (module.name for module in pkgutil.iter_modules(datasets.__path__) if module.ispkg)
    return sorted({*own, *BUILDERS.load()})


def check_arguments(given: Iterable[str], function: Callable[..., Any]) -> None:
    """Raises an error if an argument is neither a function's nor one of tfds' `DownloadConfig`.

    Args:
        given: The names of the arguments that the function's signature does not have.
        function: The function.

    Raises:
        TypeError: If there is no such argument. The message names the nearest.

    Example:

    >>> check_arguments(["raw_dri"], prepared_dataset)
    Traceback (most recent call last):
    TypeError: prepared_dataset has no argument 'raw_dri'; did you mean 'raw_dir'?
    """
    options = [field.name for field in dataclasses.fields(tfds.download.DownloadConfig)]
    own = [name for name in inspect.signature(function).parameters if name != "download_config"]
    for name in given:
        if name not in options:
            near = difflib.get_close_matches(name, own + options, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(own)}"
            raise TypeError(f"{function.__name__} has no argument {name!r}; {advice}")


def prepare(
    builder: ClickLogBuilder, raw_dir: Path | None = None, **download_config: Any
) -> PreparedDataset:
    """Prepares a builder's data set if that has not been done; see `prepared_dataset`.

    Args:
        builder: The `ClickLogBuilder`.
        raw_dir: Folder of the original files. Defaults to `None`: none.
        **download_config: Further arguments of `tfds.download.DownloadConfig`.

    Returns:
        The `PreparedDataset`.
    """
    if raw_dir is not None:
        check_address(raw_dir)
    if not builder.data_path.exists():
        with _alone(builder):
            if not builder.data_path.exists():  # not because another process was faster
                _remove_leftovers(builder)
                print(f"Preparing {builder.info.full_name} in {builder.data_dir}", file=sys.stderr)
                config = tfds.download.DownloadConfig(manual_dir=raw_dir, **download_config)
                # tfds announces its work on standard output, where a program writes its
                # results, and its bars come when most is done; preparation shows its own.
                tfds.disable_progress_bar()
                with contextlib.redirect_stdout(io.StringIO()), _unseeded_random():
                    builder.download_and_prepare(download_config=config)
    data = PreparedDataset(open_builder(builder.data_path))
    if raw_dir is not None and not builder.is_of(raw_dir, data.metadata):
        raise DataError(
            f"{builder.data_path} was prepared from other files than those in {raw_dir}; remove "
            f"the folder to prepare the set again, or give another data_dir"
        )
    return data


@contextlib.contextmanager
def _alone(builder: ClickLogBuilder) -> Iterator[None]:
    """Waits until no other process of this machine prepares the same data set.

    The lock ends with the process, however that ends. Object storage has none;
    there the first to finish wins.
    """
    folder = builder.data_path.parent
    if "://" in str(folder):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f".{builder.version}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_leftovers(builder):
    """Removes what killed preparations of this data set have left.

    On object storage, without a lock, another one may be at work in them.
    """
    if "://" in str(builder.data_path):
        return
    # Not `glob`, to which brackets in the folders' names would be patterns.
    for folder in builder.data_path.parent.iterdir():
        if folder.name.startswith("incomplete.") and folder.name.endswith(
            f"_{builder.data_path.name}"
        ):
            folder.rmtree()


@contextlib.contextmanager
def _unseeded_random() -> Iterator[None]:
    """Makes Python's random numbers differ between programs, and restores their state.

    tfds draws the name of its temporary folder with them. Two programs with the
    same seed would write into the same one.
    """
    state = random.getstate()
    random.seed()
    try:
        yield
    finally:
        random.setstate(state)


def _prepared_builder(name, data_dir):
    """Returns the tfds builder of a set that is prepared but not in `dataset_names`."""
    folder = epath.Path(data_dir) / name
    versions = sorted(folder.iterdir()) if name not in ("", ".", "..") and folder.is_dir() else []
    found = [path / "dataset_info.json" for path in versions if path.name[0] != "."]
    found = [path for path in found if path.exists()]
    if not found:
        raise SettingError(
            f"there is no data set {name!r}; known ones: {', '.join(dataset_names())}, "
            f"and those prepared in {data_dir} by prepare_click_log"
        )
    return open_builder(found[-1].parent)


def _find_builder(name):
    """Returns the builder class of a data set's name, and its configuration's name or None."""
    dataset, _, config = name.partition("/")
    builder_class = BUILDERS.load().get(dataset) or tfds.core.community.builder_cls_from_module(
        f"{datasets.__name__}.{dataset}.{dataset}_dataset_builder"
    )
    configs = [config.name for config in builder_class.BUILDER_CONFIGS]
    if config and config not in configs:
        raise SettingError(
            f"{dataset} has no configuration {config!r}; it has {', '.join(configs)}"
        )
    return builder_class, config or None
