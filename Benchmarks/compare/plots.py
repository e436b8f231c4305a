"""Which plots there are: a name and an SVG text each."""

import statistics

from compare.plan import FILE_BACKINGS, FLOOR_PART, LOAD_SERIES, REFERENCE, RINGS, Series
from compare.plot import dots


def _point(values):
    return (min(values), statistics.median(values), max(values)) if values else None


def _colours(series):
    return [LOAD_SERIES.index(one) for one in series]


def plots(figures, load_cells, load_series, file_cells):
    """Pairs of a file name and its text."""
    result = []
    series = [one for one in load_series if any(figures.has(cell, one) for cell in load_cells)]
    others = [one for one in series if one != REFERENCE]
    ours = [(Series(f"simsan-{ring}", backing), Series(f"floor-{ring}", "null"))
            for backing in ("null", "memory") for ring in RINGS]
    ours = [(mine, floor) for mine, floor in ours if mine in series and floor in series]

    def rows(cells, columns, values):
        return [(cell.name, [_point(values(cell, column)) for column in columns]) for cell in cells]

    if load_cells and others and REFERENCE in series:
        result.append(("against-tgt.svg", dots(
            "Commands a second, as multiples of tgt's null device", "times tgt null",
            rows(load_cells, others, lambda cell, one: figures.ratios(cell, one, REFERENCE)),
            [one.name for one in others], _colours(others), [("goal", lambda index: load_cells[index].goal)])))
    if load_cells and ours:
        result.append(("against-floor.svg", dots(
            "Commands a second, as a part of the floor with the same ring", "of the floor",
            rows(load_cells, ours, lambda cell, pair: figures.ratios(cell, *pair)),
            [mine.name for mine, _ in ours], _colours(mine for mine, _ in ours), [("goal", lambda index: FLOOR_PART)])))
    if load_cells and series:
        result.append(("server-cpu.svg", dots(
            "Server CPU per command", "µs", rows(load_cells, series, lambda cell, one: figures.values(cell, one, "server_us")),
            [one.name for one in series], _colours(series))))
        result.append(("latency.svg", dots(
            "Latency: from the median to the 99th percentile", "µs",
            [(cell.name, [
                (p50, p50, p99) if (p50 := figures.median(cell, one, "p50")) and (p99 := figures.median(cell, one, "p99"))
                else None for one in series
            ]) for cell in load_cells], [one.name for one in series], _colours(series))))
    files = [
        (cell, backing) for cell in file_cells for backing in FILE_BACKINGS
        if figures.ratios(cell, Series(f"simsan-{RINGS[0]}", backing), Series("tgt", backing))
    ]
    if files:
        labels = {"shm": "shm", "disk": "buffered", "direct": "O_DIRECT"}
        result.append(("files.svg", dots(
            "Files: commands a second, as multiples of tgt on the same backing", "times tgt",
            [(f"{cell.name.split(',')[0]}, {labels[backing]}", [
                _point(figures.ratios(cell, Series(f"simsan-{ring}", backing), Series("tgt", backing))) for ring in RINGS
            ]) for cell, backing in files],
            [f"simsan, {ring}" for ring in RINGS], _colours(Series(f"simsan-{ring}", "null") for ring in RINGS),
            [("goal", lambda index: figures.file_goal(*files[index]))])))
    return result
