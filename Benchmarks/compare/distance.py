"""How far the two cores are from one another: those of a virtual machine are moved about by its host."""

import pathlib
import statistics
import subprocess
import time

INTERVAL_MS = 20
# Cores that share a cache were 60 to 130 ns from one another, there and back, and others 170 to 480.
NEAR_NS = 150
# A run counts when they were farther for at most so much of the time, in per cent.
APART_MAX = 10
# For how long a run waits until the cores are near.
PATIENCE_SECONDS = 3


class Distance:
    """Watches two cores, from `with` on to its end."""

    def __init__(self, program, cores, folder):
        self._command = [str(program), *(str(core) for core in cores), str(INTERVAL_MS)]
        self._path = pathlib.Path(folder) / "distance.tsv"
        self._read, self._rest = 0, ""
        self.samples = []  # pairs: nanoseconds of the monotonic clock, nanoseconds there and back

    def __enter__(self):
        with open(self._path, "w") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def _since(self, begin):
        """The distances that were measured from `begin` on, in nanoseconds."""
        with open(self._path) as log:
            log.seek(self._read)
            text = self._rest + log.read()
            self._read = log.tell()
        whole, _, self._rest = text.rpartition("\n")
        self.samples += [tuple(int(word) for word in line.split()) for line in whole.splitlines()]
        found = []
        for when, taken in reversed(self.samples):
            if when < begin:
                break
            found.append(taken)
        return found

    def apart_since(self, begin):
        """In how much of the time since `begin`, of the monotonic clock in nanoseconds, the cores were apart, in per cent.

        Not a number when nothing was measured.
        """
        found = self._since(begin)
        return 100 * sum(taken > NEAR_NS for taken in found) / len(found) if found else float("nan")

    def wait_until_near(self):
        """Waits until the cores are near, as they were five times in turn, but for some seconds at most."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            latest = self._since(time.monotonic_ns() - 6 * INTERVAL_MS * 1_000_000)[:5]
            if len(latest) == 5 and max(latest) <= NEAR_NS:
                return
            time.sleep(2 * INTERVAL_MS / 1000)

    def describe(self):
        """What the cores were like, for the page."""
        taken = [ns for _, ns in self.samples]
        near, apart = [ns for ns in taken if ns <= NEAR_NS], [ns for ns in taken if ns > NEAR_NS]
        if not taken:
            return "not measured"
        words = [f"{len(near) / len(taken):.0%} of the time as cores that share a cache"]
        if near:
            words.append(f"{statistics.median(near):.0f} ns from one to the other and back")
        if apart:
            words.append(f"and else {statistics.median(apart):.0f} ns")
        return ", ".join(words)
