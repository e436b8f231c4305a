"""Runs of the load generator, and what they say."""

import math
import random
import subprocess
import sys
import time
from dataclasses import dataclass, fields, replace

from compare.distance import Distance
from compare.servers import pinned

RANGE_BYTES = 256 << 20
FILL_BYTES = 256 << 10
FILL_RUNS_MAX = 30


@dataclass(frozen=True)
class Run:
    """One run of the load generator against one logical unit."""

    round: int
    cell: str
    series: str
    rate: float  # commands a second
    p50: float  # microseconds
    p99: float
    client_cpu: float  # per cent of a core
    server_cpu: float
    server_us: float  # server CPU per command, in microseconds
    others_cpu: float  # what the rest of the machine used meanwhile, in per cent of a core
    apart: float = math.nan  # in how much of the time the two cores did not share a cache, in per cent

    def line(self):
        return "\t".join(str(getattr(self, field.name)) for field in fields(self))

    @staticmethod
    def heading():
        return "\t".join(field.name for field in fields(Run))

    @staticmethod
    def parse(line):
        words = line.rstrip("\n").split("\t")
        return Run(*(field.type(word) if isinstance(field.type, type) else word
                     for field, word in zip(fields(Run), words)))


def output(command, series, seconds):
    """What a run that should take so many seconds prints; None, with a word on standard error, when it failed."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        print(f"  {series.name}: no end of the run", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"  {series.name}: {done.stderr.strip()}", file=sys.stderr)
        return None
    return done.stdout


class Generator:
    """The load generator, one session, on a core of its own."""

    def __init__(self, program, core, seconds, warm_up, realtime):
        self.program, self.seconds, self.warm_up = program, seconds, warm_up
        self.prefix = pinned(core, realtime)

    def run(self, number, cell, series, server):
        """One run; None, with a word on standard error, when it failed."""
        command = [*self.prefix, str(self.program), "-q", str(cell.depth), "-b", str(cell.length),
                   "-t", str(self.seconds), "-W", str(self.warm_up), "-p", str(server.pid), "-R", str(RANGE_BYTES)]
        if cell.operation.endswith("write"):
            command.append("-w")
        if cell.operation.startswith("seq"):
            command.append("-s")
        command.append(server.url(series.backing))
        said = output(command, series, self.seconds + self.warm_up)
        if said is None:
            return None
        words = said.split("\t")
        return Run(
            round=number, cell=cell.name, series=series.name, rate=float(words[5]), p50=float(words[7]),
            p99=float(words[8]), client_cpu=float(words[11]), server_cpu=float(words[12]), server_us=float(words[13]),
            others_cpu=float(words[14]))

    def fill(self, server, backing):
        """Writes the whole unit: what was never written is not in memory, and costs nothing to read.

        A run begins at the beginning, so that one has to come to the end. Where the host of a virtual machine has yet to
        give the memory, the first ones do not.
        """
        command = [*self.prefix, str(self.program), "-q", "8", "-b", str(FILL_BYTES), "-t", "1", "-W", "0",
                   "-R", str(RANGE_BYTES), "-w", "-s", server.url(backing)]
        for _ in range(FILL_RUNS_MAX):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
            if int(done.stdout.split("\t")[4]) * FILL_BYTES >= RANGE_BYTES:
                return
        print(f"  {server.name}: {backing} could not be filled in {FILL_RUNS_MAX} s", file=sys.stderr)


@dataclass(frozen=True)
class Quiet:
    """Repeats what was disturbed."""

    noise_max: float  # what the rest of the machine may use meanwhile, in per cent of a core
    apart_max: float  # in how much of the time the two cores may be apart, in per cent
    tries: int  # how often something is measured, at most
    distance: Distance

    def measure(self, once, noise=lambda result: 0):
        """The first of what `once` measures that was not disturbed, or what was least; and how far the cores were apart then.

        `noise` tells what the rest of the machine used meanwhile. When nothing can be measured, what there is; None without.
        """
        best, best_apart, least = None, math.nan, math.inf
        for _ in range(self.tries):
            if self.apart_max < 100:
                self.distance.wait_until_near()
            begin = time.monotonic_ns()
            result = once()
            if result is None:
                break
            apart = self.distance.apart_since(begin)
            # Not a number: not measured, and held against nobody.
            excess = max(0, noise(result) - self.noise_max) + (0 if math.isnan(apart) else max(0, apart - self.apart_max))
            if excess < least:
                best, best_apart, least = result, apart, excess
            if excess == 0:
                break
        return best, best_apart

    def run(self, once):
        """A run of the load generator that was not disturbed, or the one that was least; None when it failed."""
        run, apart = self.measure(once, lambda run: run.others_cpu)
        return run and replace(run, apart=apart)


def in_turn(things, number):
    """The order of round `number`: another one each time, and the same in each run, so that none always follows another."""
    return random.Random(number).sample(things, len(things))


def measure(pairs, servers, rounds, run_once):
    """Measures every series of every cell in turn, `rounds` times: machines drift, and neighbours drift less.

    `run_once` is a function of round, cell, series and server.
    """
    runs = []
    for cell, series in pairs:
        for number in range(1, rounds + 1):
            for one in in_turn(series, number):
                server = servers.get(one.server)
                if server is None or one.backing not in server.luns:
                    continue
                run = run_once(number, cell, one, server)
                if run is None:
                    continue
                runs.append(run)
                print(f"{cell.name:<32} {number}/{rounds}  {one.name:<32} {run.rate:>9.0f}/s  p99 {run.p99:>7.0f} us"
                      f"  server {run.server_us:>6.2f} us  others {run.others_cpu:>3.0f} %  apart {run.apart:>3.0f} %",
                      file=sys.stderr, flush=True)
    return runs
