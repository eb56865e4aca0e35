"""Bad input, as `corpus/` has it, is refused in one line: none passes, none is a traceback."""

import pathlib
import re
import shutil
import tomllib

import pytest

from interhat_tf import errors
from tests.corpus.calls import Calls
from tests.corpus.damage import damage
from tests.corpus.start import write_start

CORPUS = pathlib.Path(__file__).parent / "corpus"
# What is no file's fault, and Keras' own.
BUILT_IN = {kind.__name__: kind for kind in (FileNotFoundError, FileExistsError, ValueError)}


def entries():
    for path in sorted(CORPUS.glob("*.toml")):
        corpus = tomllib.loads(path.read_text())
        for entry in corpus["entries"]:
            yield pytest.param(corpus["defaults"] | entry, id=f"{path.stem}: {entry['name']}")


ENTRIES = list(entries())


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    data, model = write_start(folder)
    return folder, data, model


def kind_of(entry):
    return BUILT_IN.get(entry["error"]) or getattr(errors, entry["error"])


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry(entry, start, tmp_path, capsys):
    folder, data, model = start
    needed = {pathlib.PurePath(entry["of"]).parts[0]} if "of" in entry else set()
    for name in {*needed, *entry.get("needs", ())}:
        shutil.copytree(folder / name, tmp_path / name)
    if "of" in entry:
        damage(tmp_path / entry["of"], entry)
    arguments = entry.get("with", {})
    calls = Calls(tmp_path, data, model, entry.get("of"))
    if entry["do"] == "command":
        with pytest.raises(SystemExit) as exit_:
            calls.command(*arguments)
        assert exit_.value.code == getattr(kind_of(entry), "exit_status", 1)
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("error: ")
    else:
        with pytest.raises(kind_of(entry)) as error:
            getattr(calls, entry["do"])(**arguments)
        assert type(error.value) is kind_of(entry)
        said = str(error.value)
    said = said.replace(f"{tmp_path}/", "").replace(str(tmp_path), ".")
    assert entry["says"] in said
    assert "\n" not in said and len(said) < 600


def test_there_are_many_entries():
    assert len(ENTRIES) >= 150
    names = [param.id for param in ENTRIES]
    assert len(set(names)) == len(names)


def test_a_broken_line_is_named_with_its_file():
    """Of a log or an original file; a header may be another log's, and a line an index's."""
    broken = [param.values[0] for param in ENTRIES if "line" in param.values[0]]
    named = [entry for entry in broken if re.search(r"/\S+:\d+: ", entry["says"])]
    assert len(named) >= 75
    others = {entry["name"] for entry in broken if entry not in named}
    assert others == {"a header without the label", "a log that has changed since"}
