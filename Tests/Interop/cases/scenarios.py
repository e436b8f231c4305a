"""This repository's scenarios over TCP, on a served target: the same files. What needs the simulation is skipped."""

import functools
import pathlib
import re

from harness.command import Failure, run
from harness.runner import Case
from harness.server import Server

SCENARIOS = pathlib.Path(__file__).parent.parent.parent.parent / "scenarios"


def play(program: pathlib.Path, area: pathlib.Path, server: Server) -> None:
    """Those of one folder pass, and some of them could be played."""
    result = run(str(program), "run", "--against", server.url("memory"), str(area), seconds=300)
    totals = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", result.output, re.MULTILINE)
    if not totals:
        raise Failure(f"no totals\n{result}")
    passed, failed, _ = map(int, totals[-1])
    if failed:
        raise Failure(f"{failed} failed\n{result}")
    result.ok()
    print(f"     {area.name}: {totals[-1][0]} passed, {totals[-1][2]} need the simulation", flush=True)


def cases(program: pathlib.Path) -> list[Case]:
    areas = sorted({path.parent for path in SCENARIOS.rglob("*.lua") if path.parent != SCENARIOS})
    # The folders that hold files, each by itself: one that stops the server does not hide the others.
    tops = [area for area in areas if not any(other in area.parents for other in areas)]
    return [
        Case(f"scenarios/{area.relative_to(SCENARIOS)}", functools.partial(play, program, area)) for area in tops
    ]
