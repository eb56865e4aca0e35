import errno
import pickle
import sys

import pytest

from interhat_tf import errors

KINDS = {
    errors.SettingError: (2, ValueError),
    errors.DataError: (3, ValueError),
    errors.DamagedFileError: (4, ValueError),
    errors.FullDiskError: (5, OSError),
    errors.KernelError: (1, RuntimeError),
    ValueError: (1, ValueError),
    FileNotFoundError: (1, OSError),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_one_line_and_a_status(kind, capsys):
    status, built_in = KINDS[kind]
    with pytest.raises(SystemExit) as exit_, errors.ending_programs():
        raise kind("a.csv:3:\n wrong")
    assert exit_.value.code == status
    assert capsys.readouterr().err == "error: a.csv:3: wrong\n"
    assert issubclass(kind, built_in)
    assert str(pickle.loads(pickle.dumps(kind("wrong")))) == "wrong"  # from another process


def test_a_full_disk_of_any_kind_is_one(capsys):
    error = OSError(errno.ENOSPC, "No space left on device", "a.npz")
    with pytest.raises(SystemExit) as exit_, errors.ending_programs():
        raise error
    assert exit_.value.code == errors.FullDiskError.exit_status
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device: 'a.npz'\n"


def test_an_interruption(capsys):
    with pytest.raises(SystemExit) as exit_, errors.ending_programs():
        raise KeyboardInterrupt
    assert exit_.value.code == 130 and capsys.readouterr().err == "error: interrupted\n"


def test_debug_shows_where_it_was(capsys):
    with pytest.raises(SystemExit), errors.ending_programs(debug=True):
        raise errors.DataError("wrong")
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and said.endswith("DataError: wrong\nerror: wrong\n")


def test_a_fault_of_the_code_passes():
    with pytest.raises(KeyError), errors.ending_programs():
        raise KeyError("x")


def test_the_module_is_light():
    """It is what every other module may import."""
    used = {name for name, value in vars(errors).items() if type(value) is type(sys)}
    assert used == {"contextlib", "errno", "signal", "sys", "traceback"}
