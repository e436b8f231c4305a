"""From runs to figures: medians, ratios between neighbours, and the noise beside them."""

import statistics
from collections import defaultdict

from compare.plan import DISK, Series


class Figures:
    """All runs of one comparison, by cell and series."""

    def __init__(self, runs):
        self.runs = runs
        self._by_place = defaultdict(dict)
        for run in runs:
            self._by_place[run.cell, run.series][run.round] = run

    def has(self, cell, series):
        return bool(self._by_place.get((cell.name, series.name)))

    def values(self, cell, series, field):
        return [getattr(run, field) for run in self._by_place.get((cell.name, series.name), {}).values()]

    def median(self, cell, series, field="rate"):
        """The median; None when there are no runs."""
        values = self.values(cell, series, field)
        return statistics.median(values) if values else None

    def noise(self, cell, series, field="rate"):
        """The spread of the rounds, as a part of their median; None for fewer than two."""
        return spread(self.values(cell, series, field))

    def ratios(self, cell, series, reference, field="rate"):
        """The ratio to the reference, round by round: neighbours in time, so that a drift of the machine cancels out."""
        mine = self._by_place.get((cell.name, series.name), {})
        other = self._by_place.get((cell.name, reference.name), {})
        return [
            getattr(mine[number], field) / getattr(other[number], field)
            for number in sorted(mine.keys() & other.keys()) if getattr(other[number], field)
        ]

    def ratio(self, cell, series, reference, field="rate"):
        """The median of the ratios; None when there are none."""
        ratios = self.ratios(cell, series, reference, field)
        return statistics.median(ratios) if ratios else None

    def file_goal(self, cell, backing):
        """The multiple of tgt that simsan has to reach on a backing: what is set for the cell, or all that the disk allows."""
        allowed = self.ratio(cell, DISK, Series("tgt", backing)) if backing == DISK.backing else None
        return cell.goal if allowed is None else min(cell.goal, allowed)


def spread(values):
    """The difference between the greatest and the least, as a part of the median; None for fewer than two values."""
    if len(values) < 2:
        return None
    return (max(values) - min(values)) / statistics.median(values)
