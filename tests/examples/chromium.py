"""A page in a headless Chromium, of which one can ask what it shows."""

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

CHROMIUM = shutil.which("chromium")

# Chromium reads commands from file 3 and answers on file 4. Python starts it, since the files that
# become these may have numbers that a shell does not take.
START = """
import os, sys
read, write, *command = sys.argv[1:]
os.dup2(int(read), 3)
os.dup2(int(write), 4)
os.execv(command[0], command)
"""


class Page:
    """A page that is opened, by Chromium's DevTools protocol over a pipe.

    Args:
        url: The page's address.
        profile: A folder for Chromium's own files.
    """

    def __init__(self, url, profile):
        read, self._commands = os.pipe()
        self._answers, write = os.pipe()
        # Beyond the two that they are to become.
        files = [fcntl.fcntl(file, fcntl.F_DUPFD, 10) for file in (read, write)]
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={profile}", "--disable-background-networking", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, files), CHROMIUM, *flags],
            pass_fds=files,
            stderr=subprocess.DEVNULL,
        )
        for file in (read, write, *files):
            os.close(file)
        self._numbers, self._left, self._session = itertools.count(1), b"", {}
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self._call("Page.navigate", url=url)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def value(self, script):
        """Returns the value of an expression of JavaScript."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, script, seconds=120):
        """Returns the value of an expression once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.value(script)):
            assert time.monotonic() < end, f"{script} is {value!r} after {seconds} s"
            time.sleep(0.1)
        return value

    def _call(self, method, **params):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._left:
                part = os.read(self._answers, 1 << 16)
                assert part, "Chromium has ended"
                self._left += part
            answer, _, self._left = self._left.partition(b"\0")
            answer = json.loads(answer)
            if answer.get("id") == number:
                return answer["result"]
