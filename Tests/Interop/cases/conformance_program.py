"""libiscsi's conformance program, each of its tests in a process of its own.

Every test passes, or stands in `iscsi-test-cu.expected` with what it does instead and why. One that stands there and
passes is a failure too: the file tells the truth in both directions.
"""

import functools
import pathlib
import re

from harness.command import Failure, Result, Skip, run
from harness.runner import Case
from harness.server import Server, Simsan

EXPECTED = pathlib.Path(__file__).parent.parent / "iscsi-test-cu.expected"

UNIT_OF_SUITE = {
    "ReadOnly": "read-only",
    "NoMedia": "removable",
    "PreventAllow": "removable",
    "StartStopUnit": "removable",
    # It takes a physical block for a logical one.
    "GetLBAStatus": "small-blocks",
}
"""The unit that a suite is played on, where `memory` would make it skip itself."""


def outcome(result: Result) -> str:
    """`pass`, `fail`, `skip`, `hang` or `crash`. CUnit counts a test that skips itself as passed; here it is not.

    What stands between `Test: NAME ...` and its verdict is the test's own; behind it the suite cleans up, and says
    [SKIPPED] of persistent reservations that it cannot look for.
    """
    if result.status is None:
        return "hang"
    tests = re.search(r"^\s+tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", result.output, re.MULTILINE)
    if result.status < 0 or not tests:
        return "crash"
    ran, failed = int(tests[2]), int(tests[4])
    if failed:
        return "fail"
    own = re.search(r"Test: .*?\.\.\.(.*?)passed", result.output, re.DOTALL)
    return "pass" if ran and own and "[SKIPPED]" not in own[1] else "skip"


def expectations(text: str) -> dict[str, tuple[str, str]]:
    """From the name of a test to its outcome and the reason. A line: name, outcome, reason."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, kind, reason = (line.split(maxsplit=2) + ["", ""])[:3]
        if kind not in ("skip", "fail") or len(reason.split()) < 2:
            raise Failure(f"{EXPECTED.name}:{number}: expected `name skip|fail reason`, found {line!r}")
        if name in found:
            raise Failure(f"{EXPECTED.name}:{number}: {name} stands there twice")
        found[name] = (kind, reason)
    return found


def conclude(result: Result, expected: tuple[str, str] | None) -> None:
    """Raises unless the outcome is the expected one."""
    came = outcome(result)
    if expected is None:
        if came != "pass":
            raise Failure(f"expected it to pass; outcome: {came}\n{result}")
    elif came == "pass":
        raise Failure(f"it passes now: remove it from {EXPECTED.name} ({expected[0]}: {expected[1]})\n{result}")
    elif came != expected[0]:
        raise Failure(f"{EXPECTED.name} expects {expected[0]} ({expected[1]}); outcome: {came}\n{result}")


def play(name: str, expected: tuple[str, str] | None, server: Server) -> None:
    suite = name.split(".")[1]
    urls = [server.url(UNIT_OF_SUITE.get(suite, "memory"))]
    if suite == "MultipathIO":
        urls.append(server.url("memory", host="[::1]" if isinstance(server, Simsan) else "127.0.0.1"))
    result = run("iscsi-test-cu", "-d", "-v", "-t", name, *urls, seconds=20)
    if isinstance(server, Simsan):
        try:
            conclude(result, expected)
        except Failure:
            server.restart()
            raise
        if expected:
            # A test that fails may leave a reservation or a mode behind.
            server.restart()
    elif outcome(result) == "skip":
        raise Skip("it skips itself")
    else:
        conclude(result, None)


def the_list_names_only_tests_that_exist(names: set[str], expected: dict[str, tuple[str, str]], _: Server) -> None:
    unknown = sorted(set(expected) - names)
    if unknown:
        raise Failure(f"{EXPECTED.name} names what {names and 'iscsi-test-cu'} does not have: {', '.join(unknown)}")


def cases() -> list[Case]:
    listing = run("iscsi-test-cu", "-l", "iscsi://127.0.0.1/x/0").output.split()
    names = [name for name in listing if name.count(".") == 2 and name.split(".")[0] in ("SCSI", "iSCSI")]
    expected = expectations(EXPECTED.read_text())
    listed = functools.partial(the_list_names_only_tests_that_exist, set(names), expected)
    return [Case("iscsi-test-cu/the-list-names-only-tests-that-exist", listed)] + [
        Case(f"iscsi-test-cu/{name}", functools.partial(play, name, expected.get(name))) for name in names
    ]
