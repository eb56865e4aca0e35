"""A Python that has the libraries loaded: a process is the fork of one that has imported them.

TensorFlow takes seconds to import, and the tests start many processes. A server imports the
libraries once, and nothing of this repository. The program that `serving` writes takes Python's
arguments, has the server fork a process that runs them in the program's folder, with its
environment and its open files, and ends as that does; if it is killed, so is that process.
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import multiprocessing
import os
import pathlib
import runpy
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import traceback
import types
from typing import NoReturn

LIBRARIES = ("keras_rs", "tensorflow_datasets", "pandas", "pyarrow.parquet", "tqdm.auto")
LENGTH = 8  # bytes that say how long a request is
MOST_FILES = 64

PROGRAM = """\
    #!{python} -IS
    import json, os, socket, sys
    arguments = sys.argv[1:]
    while arguments[0].startswith("-") and arguments[0] not in ("-c", "-m"):
        del arguments[0]  # how Python is to run, not what
    # The server has Keras on TensorFlow.
    if os.environ.get("KERAS_BACKEND") == "jax" or not arguments[0].startswith("-"):
        os.execv({python!r}, [{python!r}, *sys.argv[1:]])
    files = [name for name in os.listdir("/dev/fd") if os.path.exists("/dev/fd/" + name)]
    files = list(map(int, files))
    request = json.dumps([arguments, os.getcwd(), dict(os.environ), files]).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect({address!r})
        socket.send_fds(server, [len(request).to_bytes({length}, "big")], files)
        server.sendall(request)
        status = int(server.recv(16) or 1)
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)
"""


@contextlib.contextmanager
def serving(folder: pathlib.Path, python=sys.executable, variables=None):
    """Serves as long as the context lasts; gives the path of the program.

    Args:
        folder: An empty folder, which takes the program.
        python: The interpreter that the program stands for.
        variables: The environment in which it imports the libraries, as this process' by default.
    """
    program, address = folder / "python", str(folder / "socket")
    given = {"python": str(python), "address": address, "length": LENGTH}
    program.write_text(textwrap.dedent(PROGRAM).format(**given))
    program.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        server = subprocess.Popen([python, __file__, program], stdin=listener, env=variables)
        try:
            yield str(program)
        finally:
            server.terminate()
            server.wait()


def serve(listener: socket.socket) -> tuple[list[str], str, dict[str, str]]:
    """Forks a process for each request; returns in those, with what is to be run."""
    works = {}  # pid and who waits for it, by what becomes readable at its end
    while True:
        waiting = {connection: (end, pid) for end, (pid, connection) in works.items()}
        for ready in select.select([listener, *works, *waiting], [], [])[0]:
            if ready is listener:
                connection, _ = listener.accept()
                request, received = receive(connection)
                *to_run, files = json.loads(request)
                pid = os.fork()
                if not pid:
                    for file in (listener, connection, *waiting):
                        file.close()
                    for end in works:
                        os.close(end)
                    give(received, files)
                    return to_run
                for descriptor in received:
                    os.close(descriptor)
                works[os.pidfd_open(pid)] = pid, connection
            elif ready in works:
                pid, connection = works.pop(ready)
                _, status = os.waitpid(pid, 0)
                with contextlib.suppress(BrokenPipeError), connection:
                    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
                os.close(ready)
            else:
                end, pid = waiting[ready]
                if end in works:  # who waits has been killed
                    os.kill(pid, signal.SIGKILL)


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Returns a request and the open files that came with it."""
    length, received, _, _ = socket.recv_fds(connection, LENGTH, MOST_FILES)
    request, missing = b"", int.from_bytes(length, "big")
    while len(request) < missing:
        request += connection.recv(missing - len(request))
    return request, received


def give(received: list[int], numbers: list[int]) -> None:
    """Gives open files the numbers that they had where they came from."""
    apart = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 500) for descriptor in received]
    for descriptor in received:
        os.close(descriptor)
    for descriptor, number in zip(apart, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def run(arguments: list[str], folder: str, variables: dict[str, str]) -> None:
    """Runs what Python's arguments name, as a process that begins with them."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    paths = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    kind, what, *rest = arguments
    sys.path[:] = [folder, *paths, *PATH]
    sys.argv = [kind, *rest]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), main.__dict__)


def end(status: int) -> NoReturn:
    """Ends this process as Python does, but leaves the libraries' objects where they are."""
    threading._shutdown()
    atexit._run_exitfuncs()
    with contextlib.suppress(ValueError):  # closed
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    PATH = [path for path in sys.path[1:] if path not in given]
    sys.executable = sys.argv[1]
    multiprocessing.set_executable(sys.executable)
    gc.freeze()  # so that forks share what is there
    to_run = serve(socket.socket(fileno=0))
    try:
        run(*to_run)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        end(1 if isinstance(ended.code, str) else ended.code or 0)
    except BaseException:
        traceback.print_exc()
        end(1)
    end(0)
