"""The tables of docs/performance.md, in Markdown."""

import math
import re

from compare import counters
from compare.distance import APART_MAX
from compare.plan import DISK, FILE_BACKINGS, FLOOR_DISK, FLOOR_PART, MEMORY_PART, REFERENCE, RINGS, Series

BEGIN = "<!-- figures: written by the programs in Benchmarks; do not edit below -->"
END = "<!-- end of figures -->"


def table(heading, rows):
    """A table, laid out so that it reads well as text too."""
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]

    def line(row):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "-" * (widths[0] + 2) + "|" + "|".join("-" * (width + 1) + ":" for width in widths[1:]) + "|"
    return "\n".join([line(heading), rule, *(line(row) for row in rows)])


def _number(value, form, missing="–"):
    return missing if value is None else format(value, form)


def _verdict(value, goal):
    if value is None or goal is None:
        return _number(value, ".2f")
    return f"{value:.2f} {'✓' if value >= goal else '✗'}"


def _rates(figures, cells, series):
    rows = []
    for cell in cells:
        row = [cell.name]
        for one in series:
            rate, noise = figures.median(cell, one), figures.noise(cell, one)
            row.append("–" if rate is None else f"{rate / 1000:.1f}" + ("" if noise is None else f" ±{noise / 2:.0%}"))
        rows.append(row)
    return table(["thousand commands a second", *(one.name for one in series)], rows)


def _goal(cell, one):
    """The multiple of tgt's null device that a series has to reach in a cell; None where none is set."""
    if one.server.startswith("floor"):
        return None
    goal = cell.busy_goal if one.server.endswith("-busy") else cell.goal
    return goal * MEMORY_PART if goal is not None and one.backing == "memory" else goal


def _ratios(figures, cells, series):
    rows = []
    for cell in cells:
        goals = [_number(cell.goal, "g")]
        if cell.busy_goal is not None:
            goals.append(f"busy polling {cell.busy_goal:g}")
        row = [cell.name, ", ".join(goals)]
        for one in series:
            row.append(_verdict(figures.ratio(cell, one, REFERENCE), _goal(cell, one)))
        rows.append(row)
    return table(["multiples of tgt null", "goal", *(one.name for one in series)], rows)


def _floor_parts(figures, cells):
    rows = []
    for cell in cells:
        row = [cell.name]
        for backing in ("null", "memory"):
            for ring in RINGS:
                part = figures.ratio(cell, Series(f"simsan-{ring}", backing), Series(f"floor-{ring}", "null"))
                row.append(_verdict(part, FLOOR_PART if backing == "null" else None))
        rows.append(row)
    names = [f"{backing}, {ring}" for backing in ("null", "memory") for ring in RINGS]
    return table(["part of the floor of the same ring", *names], rows)


def _latencies(figures, cells, series):
    rows = []
    for cell in cells:
        row = [cell.name]
        for one in series:
            p50, p99 = figures.median(cell, one, "p50"), figures.median(cell, one, "p99")
            row.append("–" if p50 is None else f"{p50:.0f} / {p99:.0f}")
        rows.append(row)
    return table(["latency p50 / p99, µs", *(one.name for one in series)], rows)


def _server_times(figures, cells, series):
    rows = [
        [cell.name, *(_number(figures.median(cell, one, "server_us"), ".2f") for one in series)] for cell in cells
    ]
    return table(["server CPU per command, µs", *(one.name for one in series)], rows)


def _files(figures, cells):
    rows = []
    limits = [(one, text) for one, text in ((FLOOR_DISK, "floor, io_uring"), (DISK, "the disk itself, by fio"))
              if any(figures.has(cell, one) for cell in cells)]
    for cell in cells:
        for backing in FILE_BACKINGS:
            tgt = Series("tgt", backing)
            ours = [Series(f"simsan-{ring}", backing) for ring in RINGS]
            if not any(figures.has(cell, one) for one in (tgt, *ours)):
                continue
            row = [f"{cell.name}, {tgt.name.removeprefix('tgt ')}"]
            for one in (tgt, *ours, *(Series(one.server, backing) for one, _ in limits)):
                rate, noise = figures.median(cell, one), figures.noise(cell, one)
                row.append("–" if rate is None else f"{rate / 1000:.1f}" + ("" if noise is None else f" ±{noise / 2:.0%}"))
            row += [_verdict(figures.ratio(cell, one, tgt), figures.file_goal(cell, backing)) for one in ours]
            rows.append(row)
    heading = ["thousand commands a second", "tgt", *(f"simsan, {ring}" for ring in RINGS),
               *(text for _, text in limits), *(f"{ring} / tgt" for ring in RINGS)]
    return table(heading, rows)


def _busy(figures, cells, series):
    rows = []
    for cell in cells:
        row = [cell.name]
        for one in series:
            server, client = figures.median(cell, one, "server_cpu"), figures.median(cell, one, "client_cpu")
            row.append("–" if server is None else f"{server:.0f} / {client:.0f}")
        rows.append(row)
    return table(["server / generator, % of a core", *(one.name for one in series)], rows)


def tables(figures, load_cells, load_series, file_cells):
    """All tables, with a line above each that says what it shows. Series without runs are left out."""
    series = [one for one in load_series if any(figures.has(cell, one) for cell in load_cells)]
    parts = []
    if load_cells:
        others = [one for one in series if one != REFERENCE]
        parts += [
            "### Commands a second\n", _rates(figures, load_cells, series) + "\n",
            "### Against tgt\n",
            f"✓ the goal is reached; the memory device has to reach {MEMORY_PART:g} of it.\n",
            _ratios(figures, load_cells, others) + "\n",
            "### Against the floor\n", f"✓ at least {FLOOR_PART:g}.\n", _floor_parts(figures, load_cells) + "\n",
            "### Latency\n", _latencies(figures, load_cells, series) + "\n",
            "### Server CPU\n", _server_times(figures, load_cells, series) + "\n",
            "Where the generator is at its end and the server is not, the cell says what the generator can do.\n",
            _busy(figures, load_cells, series) + "\n",
        ]
    if file_cells:
        goals = " and ".join(sorted({f"{cell.goal:g}" for cell in file_cells}))
        parts += [
            "### Files\n", f"✓ at least {goals} times tgt on the same backing, or all that the disk itself allows.\n",
            _files(figures, file_cells) + "\n",
        ]
    return "\n".join(parts)


def conditions(machine, rounds, seconds, figures, load_before, load_after):
    """Under what conditions the figures were taken."""
    others = sorted(run.others_cpu for run in figures.runs)
    lines = [f"- {name}: {text}" for name, text in machine]
    lines.append(f"- {rounds} rounds of {seconds:g} s; load average {load_before:.1f} before, {load_after:.1f} after")
    if others:
        middle, worst = others[len(others) // 2], others[-1]
        lines.append(f"- meanwhile others used {middle:.0f} % of a core in the median run, {worst:.0f} % in the worst")
    apart = sorted(run.apart for run in figures.runs if not math.isnan(run.apart))
    if apart:
        near, worst = sum(part <= APART_MAX for part in apart), apart[-1]
        lines.append(
            f"- the cores were apart for at most {APART_MAX} % of the time in {near} of {len(apart)} runs,"
            f" for {worst:.0f} % in the worst")
    return "\n".join(lines) + "\n"


_MANY = re.compile(r"- simsan-(?P<what>[^:]+): (?P<text>.*)")


def about_and_more(conditions_text):
    """The conditions as they stand above the plots, and the sections of what was measured beside the cells."""
    facts, counted, many = [], [], []
    for line in conditions_text.splitlines():
        if cells := counters.cells(line):
            counted.append(cells)
        elif found := _MANY.fullmatch(line):
            measured, _, verdict = found["text"].partition("; ")
            many.append([found["what"], measured, verdict])
        else:
            facts.append(line)
    parts = []
    if many:
        parts += ["### Many sessions, digests, two threads\n", table(["by simsan bench", "", "against the goal"], many) + "\n"]
    if counted:
        parts += ["### Counted by simsan, null device\n", table(counters.HEADING, counted) + "\n"]
    return "\n".join(facts) + "\n", "\n".join(parts)


def replace_figures(page, text):
    """The page with `text` in place of what stands between the two marks."""
    head, found, rest = page.partition(BEGIN)
    if not found or END not in rest:
        raise ValueError(f"the page has no place for figures: {BEGIN} … {END}")
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n\n{text.strip()}\n\n{END}{tail}"
