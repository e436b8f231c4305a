"""The harness itself: a judge that never convicts proves nothing. python3 -m unittest discover Tests/Interop"""

import contextlib
import io
import time
import unittest

from cases.conformance_program import conclude, expectations, outcome
from harness.command import Failure, Result, Skip, run
from harness.runner import Case, Tally


def cunit(passed: int, failed: int, body: str = "", after: str = "") -> Result:
    ran = passed + failed
    verdict = "FAILED" if failed else "passed"
    text = f"  Test: Simple ...{body}{verdict}{after}\n  suites 1 1 n/a 0 0\n"
    text += f"   tests {ran} {ran} {passed} {failed} 0\n asserts 9 9 9 0 n/a\n"
    return Result(["iscsi-test-cu"], 0, text, 0.1)


class Judgements(unittest.TestCase):
    def test_outcomes(self) -> None:
        self.assertEqual(outcome(cunit(1, 0)), "pass")
        self.assertEqual(outcome(cunit(0, 1)), "fail")
        self.assertEqual(outcome(cunit(1, 0, "[SKIPPED] not implemented")), "skip")
        self.assertEqual(outcome(cunit(0, 1, "[SKIPPED] a part of it")), "fail")
        self.assertEqual(outcome(cunit(1, 0, after=" [SKIPPED] PERSISTENT RESERVE IN")), "pass")
        self.assertEqual(outcome(cunit(0, 0)), "skip")
        self.assertEqual(outcome(Result(["x"], None, "", 20)), "hang")
        self.assertEqual(outcome(Result(["x"], -11, "", 1)), "crash")
        self.assertEqual(outcome(Result(["x"], 10, "login failed", 1)), "crash")

    def test_only_what_is_expected_is_accepted(self) -> None:
        conclude(cunit(1, 0), None)
        conclude(cunit(0, 1), ("fail", "not made"))
        conclude(cunit(1, 0, "[SKIPPED]"), ("skip", "not made"))
        for result, expected in (
            (cunit(0, 1), None),
            (cunit(1, 0, "[SKIPPED]"), None),
            (cunit(1, 0), ("fail", "not made")),
            (cunit(1, 0), ("skip", "not made")),
            (cunit(0, 1), ("skip", "not made")),
            (Result(["x"], None, "", 20), ("fail", "not made")),
        ):
            with self.assertRaises(Failure):
                conclude(result, expected)

    def test_the_list_of_expectations_is_read_strictly(self) -> None:
        self.assertEqual(expectations("# a\n\nA.B.C skip  not made yet\n"), {"A.B.C": ("skip", "not made yet")})
        for text in ("A.B.C", "A.B.C skip", "A.B.C skip short", "A.B.C pass not made yet", "A.B.C skip a b\n" * 2):
            with self.assertRaises(Failure):
                expectations(text)


class Commands(unittest.TestCase):
    def test_a_command_is_ended_at_its_limit(self) -> None:
        start = time.monotonic()
        result = run("sh", "-c", "echo begun; sleep 60 & wait", seconds=0.5)
        self.assertIsNone(result.status)
        self.assertIn("begun", result.output)
        self.assertLess(time.monotonic() - start, 5)

    def test_a_failure_shows_command_and_output(self) -> None:
        with self.assertRaisesRegex(Failure, r"(?s)\$ sh -c .*what it said.*status 3"):
            run("sh", "-c", "echo what it said; exit 3").ok()
        with self.assertRaises(Failure):
            run("true").ok().says("anything")


class Idle:
    """A server that neither runs nor fails, and says something whenever it is asked."""

    name = "idle"

    def __init__(self) -> None:
        self.process = None
        self.restarts = 0
        self.said = ""

    def log(self) -> str:
        self.said += "what the server says\n"
        return self.said

    def running(self) -> None:
        pass

    def restart(self) -> None:
        self.restarts += 1


class Tallies(unittest.TestCase):
    def play(self, *plays) -> tuple[Tally, str]:
        tally, said = Tally(), io.StringIO()
        with contextlib.redirect_stdout(said):
            tally.play(Idle(), [Case(f"case/{index}", play) for index, play in enumerate(plays)], "*")
            self.status = tally.close()
        return tally, said.getvalue()

    def test_totals(self) -> None:
        def fails(_) -> None:
            raise Failure("expected this\ncame that")

        def skips(_) -> None:
            raise Skip("it does not apply")

        def breaks(_) -> None:
            raise KeyError("a defect of the case")

        _, said = self.play(lambda _: None, fails, skips, breaks)
        self.assertEqual(self.status, 1)
        self.assertTrue(said.endswith("1 passed, 2 failed, 1 skipped\n"))
        self.assertIn("came that", said)
        self.assertIn("what the server says", said)
        self.assertIn("KeyError", said)

    def test_nothing_played_is_a_failure(self) -> None:
        self.play()
        self.assertEqual(self.status, 1)
        self.play(lambda _: None)
        self.assertEqual(self.status, 0)


if __name__ == "__main__":
    unittest.main()
