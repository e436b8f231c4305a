"""Running other people's programs: always with a time limit, never without their output."""

import dataclasses
import os
import shlex
import signal
import subprocess
import time


class Failure(Exception):
    """What was expected, what came, and the output that tells why."""


class Skip(Exception):
    """Why the case does not apply to the server under test."""


@dataclasses.dataclass
class Result:
    argv: list[str]
    status: int | None
    """The exit status; the negative signal number; None when it was stopped at its time limit."""
    output: str
    seconds: float

    def __str__(self) -> str:
        end = "stopped at its time limit" if self.status is None else f"status {self.status}"
        return f"$ {shlex.join(self.argv)}\n{tail(self.output, 60)}\n[{end} after {self.seconds:.1f} s]"

    def ok(self) -> "Result":
        """Itself, if it ended with status 0."""
        if self.status != 0:
            raise Failure(f"expected status 0\n{self}")
        return self

    def says(self, *texts: str) -> "Result":
        """Itself, if its output holds each of the texts."""
        for text in texts:
            if text not in self.output:
                raise Failure(f"expected to read {text!r}\n{self}")
        return self


def tail(text: str, lines: int) -> str:
    parts = text.rstrip().splitlines()
    return "\n".join((["…"] if len(parts) > lines else []) + parts[-lines:])


def run(*argv: str, seconds: float = 30, environment: dict[str, str] | None = None) -> Result:
    """Runs a command to its end, or ends it and everything that it started after `seconds`."""
    start = time.monotonic()
    process = start_in_background(*argv, environment=environment)
    try:
        output, _ = process.communicate(timeout=seconds)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    text = output.decode("utf-8", "replace").replace("\r", "\n")
    return Result(list(argv), status, text, time.monotonic() - start)


def start_in_background(*argv: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """A command in a process group of its own, its output to a pipe."""
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError as error:
        raise Failure(f"{argv[0]} is not installed: scripts/install test") from error
