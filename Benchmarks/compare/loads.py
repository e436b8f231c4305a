"""What many sessions, many targets and digests cost, measured with `simsan bench` against simsan's null device."""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass

from compare.measure import in_turn
from compare.servers import pinned

TARGETS = 64


@dataclass(frozen=True)
class Load:
    """One way to load a server. `reference`: what it is compared to; `goal`: the part of that it has to reach."""

    name: str
    sessions: int = 1
    targets: int = 1
    options: tuple[str, ...] = ()
    reference: str | None = None
    goal: float | None = None


LARGE = ("--operation", "seqread", "--size", "256KiB", "--depth", "8")
ONE, SMALL, LONG = "one session", "4 KiB reads", "256 KiB reads"
SESSIONS = (
    Load(ONE),
    *(
        Load(f"{sessions} sessions to {targets} target{'s' if targets > 1 else ''}", sessions, targets, (), ONE, 0.9)
        for sessions in (64, 512) for targets in (1, TARGETS)
    ),
)
DIGESTS = (
    Load(SMALL),
    Load(f"{SMALL} with digests", options=("--digests", "both"), reference=SMALL, goal=0.85),
    Load(LONG, options=LARGE),
    Load(f"{LONG} with digests", options=(*LARGE, "--digests", "both"), reference=LONG, goal=0.75),
)
# Commands a second of two targets together, at which one shard is compared to two.
RATES = (20_000, 100_000, 200_000)
# The generator has its part of the two cores, and shall not take more of it than it needs.
GENERATOR_SLEEPS = ("--busy-poll", "0us")
# How much more CPU a command may take with two shards.
SHARDS_COST = 1.1
# No session gets less than this part of the mean.
SLOWEST_PART = 0.5


def measure(program, server, core, realtime, rounds, seconds, quiet):
    """Lines of a name and a text, one for each load: the median rate and what it is of its reference, round by round.

    `quiet` repeats what was disturbed.
    """
    lines = []
    for loads in (SESSIONS, DIGESTS):
        found = {load.name: [] for load in loads}
        for number in range(rounds):
            for load in in_turn(loads, number):
                run, _ = quiet.measure(lambda: _run(program, server, load, core, realtime, seconds))
                found[load.name].append(run)
        for load in loads:
            if line := _line(load, found):
                lines.append((f"{server.name}, {load.name}", line))
                print(f"{lines[-1][0]}: {line}", file=sys.stderr, flush=True)
    return lines


def measure_shards(program, one, two, cores, realtime, rounds, seconds, quiet):
    """What a command takes of the CPU with two shards on two cores, beside one shard. Lines as of `measure`."""
    lines = []
    for rate in RATES:
        load = Load(f"{rate // 1000} thousand commands a second", targets=2, options=("--rate", str(rate), *GENERATOR_SLEEPS))
        found = {1: [], 2: []}
        for number in range(rounds):
            for shards, server in in_turn(((1, one), (2, two)), number):
                run, _ = quiet.measure(lambda: _run(program, server, load, cores, realtime, seconds))
                # The kernel counts CPU time by ticks: of a run that it stalled there may be none.
                found[shards].append((run and run["server_cpu_cores"] / run["commands_per_second"] * 1e6) or None)
        pairs = [pair for pair in zip(found[1], found[2]) if None not in pair]
        if not pairs:
            continue
        alone, shared = (statistics.median(times) for times in zip(*pairs))
        growth = statistics.median(two / one for one, two in pairs)
        text = f"server {alone:.2f} µs each with one shard, {shared:.2f} with two; {growth:.2f} times"
        text += f" (goal at most {SHARDS_COST:g} {'✓' if growth <= SHARDS_COST else '✗'})"
        lines.append((f"{one.name}, {load.name} to 2 targets", text))
        print(f"{lines[-1][0]}: {text}", file=sys.stderr, flush=True)
    return lines


def _run(program, server, load, core, realtime, seconds):
    urls = [server.target_url(index) for index in range(load.targets)]
    command = [*pinned(core, realtime), str(program), "bench", "--sessions", str(load.sessions), "--time", f"{seconds}s",
               "--warm-up", f"{min(0.5, seconds / 3):.2f}s", "--range", "256MiB", "--server-pid", str(server.pid),
               "--json", "-", *load.options, *urls]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60)
        return json.loads(done.stdout) if done.returncode == 0 else _failed(load, done.stderr)
    except subprocess.TimeoutExpired:
        return _failed(load, "no end of the run")


def _failed(load, why):
    print(f"  {load.name}: {why.strip()}", file=sys.stderr)
    return None


def _line(load, found):
    runs = [run for run in found[load.name] if run]
    if not runs:
        return None
    rate = statistics.median(run["commands_per_second"] for run in runs)
    cpu = statistics.median(run["server_cpu_cores"] / run["commands_per_second"] * 1e6 for run in runs)
    text = f"{rate / 1000:.1f} thousand commands a second, server {cpu:.2f} µs each"
    if load.reference:
        ratios = [
            mine["commands_per_second"] / other["commands_per_second"]
            for mine, other in zip(found[load.name], found[load.reference]) if mine and other
        ]
        if ratios:
            ratio = statistics.median(ratios)
            text += f"; {ratio:.2f} of {load.reference} (goal {load.goal:g} {'✓' if ratio >= load.goal else '✗'})"
    if load.sessions > 1:
        slowest = min(run["slowest_session_percent"] or 0 for run in runs) / 100
        text += f"; the slowest session had {slowest:.2f} of the mean"
        text += f" (goal {SLOWEST_PART:g} {'✓' if slowest >= SLOWEST_PART else '✗'})"
    return text
