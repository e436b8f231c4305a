"""What simsan counts of itself while a cell is measured: where its time goes."""

import os
import re
import signal
import time

_ROW = re.compile(r"^([a-z ]+?) +([0-9,]+) ", re.MULTILINE)
_LAST = re.compile(r"^went wrong .*\n", re.MULTILINE)


def ask(pid, log):
    """The counters of the server with this pid, which writes to this log, by their names; None when it does not say them."""
    mark = log.stat().st_size
    os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        said = log.read_bytes()[mark:].decode("utf-8", "replace")
        if _LAST.search(said):
            return {name: int(count.replace(",", "")) for name, count in _ROW.findall(said)}
        time.sleep(0.02)
    return None


def line(before, after, bytes_of_command):
    """What happened between two answers, in ratios; None where nothing did."""
    if not before or not after:
        return None
    count = {name: after[name] - before[name] for name in after if name in before}
    commands = count["commands"]
    if not commands:
        return None
    copied = count["bytes copied"] / (commands * bytes_of_command)
    return (f"{commands / max(1, count['receives']):.1f} commands a receive, {commands / max(1, count['sends']):.1f} a send, "
            f"{commands / max(1, count['steps']):.1f} a step; {count['system calls'] / commands:.2f} system calls a command; "
            f"{copied:.2f} bytes copied a byte of data; {count['allocations']} allocations in {commands} commands")


# What `line` says, behind the name that Benchmarks/run gives it.
_LINE = re.compile(
    r"- counted, simsan-(?P<ring>[^,]+), (?P<cell>.+): (?P<receive>[0-9.]+) commands a receive, (?P<send>[0-9.]+) a send, "
    r"(?P<step>[0-9.]+) a step; (?P<calls>[0-9.]+) system calls a command; (?P<copied>[0-9.]+) bytes copied a byte of data; "
    r"(?P<allocations>[0-9]+) allocations in (?P<commands>[0-9]+) commands")
HEADING = ["", "ring", "commands a receive", "a send", "a step", "system calls a command", "bytes copied a byte", "allocations"]


def cells(text):
    """A row of the page, of what `line` has said; None when it is something else."""
    found = _LINE.fullmatch(text)
    return found and [
        found["cell"], found["ring"], found["receive"], found["send"], found["step"], found["calls"], found["copied"],
        f"{found['allocations']} in {int(found['commands']) / 1000:.0f} thousand"]
