"""SVG plots, drawn by hand: points on a scale, a row a cell, or lines over the depth; with the spread of the rounds."""

import math
from xml.sax.saxutils import escape

# Okabe and Ito's colours, which most eyes tell apart.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#999999", "#8C6D00")
# SVG's name for itself, not a place that anything is fetched from.
NAMESPACE = "http:" + "//www.w3.org/2000/svg"
FONT = "font-family='system-ui, sans-serif'"
LEFT, RIGHT, TOP, LINE = 220, 40, 74, 13
WIDTH = 960


class Scale:
    """From values to pixels; logarithmic when the values span more than a factor of `linear_max`."""

    def __init__(self, values, linear_max=20):
        values = [value for value in values if value > 0] or [1]
        low, high = min(values), max(values)
        self.is_log = high / low > linear_max
        if self.is_log:
            self.low, self.high = 10 ** math.floor(math.log10(low)), high * 1.1
            self.ticks = self._log_ticks()
        else:
            step = self._step(high)
            self.low, self.high = 0, max(step * math.ceil(high / step), step)
            self.ticks = [step * index for index in range(int(round(self.high / step)) + 1)]

    @staticmethod
    def _step(high):
        rough = high / 8
        power = 10 ** math.floor(math.log10(rough))
        return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)

    def _log_ticks(self):
        ticks, power = [], self.low
        while power <= self.high:
            ticks += [factor * power for factor in (1, 2, 5) if self.low <= factor * power <= self.high]
            power *= 10
        return ticks

    def part(self, value):
        """How far along the scale, from 0 to 1."""
        if self.is_log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def __call__(self, value):
        return LEFT + self.part(value) * (WIDTH - LEFT - RIGHT)


def dots(title, unit, rows, names, colours, marks=()):
    """A plot.

    rows     pairs of a label and a list, for each name, of None or (least, middle, greatest)
    colours  the number of each name's colour: the same in every plot
    marks    pairs of a label and a function from the row's index to a value or None: a short upright line in the row
    """
    values = [value for _, points in rows for point in points if point for value in point]
    values += [value for _, mark in marks for index in range(len(rows)) if (value := mark(index))]
    scale = Scale(values)
    colours = [COLOURS[number % len(COLOURS)] for number in colours]
    height_of_row = LINE * len(names) + 14
    legend = math.ceil((len(names) + len(marks)) / 4)
    top = TOP + 18 * (legend - 1)
    height = top + height_of_row * len(rows) + 40
    out = [
        f"<svg xmlns='{NAMESPACE}' viewBox='0 0 {WIDTH} {height}' {FONT} font-size='12'>",
        f"<title>{escape(title)}</title>", f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        f"<text x='16' y='24' font-size='16' font-weight='600'>{escape(title)}</text>",
    ]
    for index, name in enumerate([*names, *(label for label, _ in marks)]):
        x, y = 16 + index % 4 * 235, 46 + index // 4 * 18
        if index < len(names):
            out.append(f"<circle cx='{x + 5}' cy='{y - 4}' r='4' fill='{colours[index]}'/>")
        else:
            out.append(f"<path d='M{x + 5} {y - 10}v12' stroke='#c00000' stroke-width='2'/>")
        out.append(f"<text x='{x + 15}' y='{y}'>{escape(name)}</text>")
    bottom = top + height_of_row * len(rows)
    for tick in scale.ticks:
        x = scale(tick)
        out.append(f"<path d='M{x:.1f} {top}V{bottom}' stroke='#dddddd'/>")
        out.append(f"<text x='{x:.1f}' y='{bottom + 16}' text-anchor='middle'>{tick:g}</text>")
    out.append(f"<text x='{WIDTH - RIGHT}' y='{bottom + 32}' text-anchor='end'>{escape(unit)}</text>")
    for index, (label, points) in enumerate(rows):
        y = top + index * height_of_row
        if index % 2:
            out.append(f"<rect x='0' y='{y}' width='{WIDTH}' height='{height_of_row}' fill='#000000' opacity='0.04'/>")
        out.append(f"<text x='{LEFT - 12}' y='{y + height_of_row / 2 + 4:.1f}' text-anchor='end'>{escape(label)}</text>")
        for _, mark in marks:
            if value := mark(index):
                out.append(
                    f"<path d='M{scale(value):.1f} {y + 3}v{height_of_row - 6}' stroke='#c00000' stroke-width='2'/>")
        for line, point in enumerate(points):
            if not point:
                continue
            colour, at = colours[line], y + 13 + line * LINE
            least, middle, greatest = (scale(value) for value in point)
            out.append(f"<path d='M{least:.1f} {at}H{greatest:.1f}' stroke='{colour}' stroke-width='2'/>")
            out.append(f"<circle cx='{middle:.1f}' cy='{at}' r='4' fill='{colour}'><title>"
                       f"{escape(names[line])}: {point[1]:.4g}</title></circle>")
    out.append("</svg>")
    return "\n".join(out) + "\n"


class Panel:
    """One of the plots of `lines`: values over the depth, a line for each name.

    series  pairs of a name and a dictionary from a depth to a value, or to (least, middle, greatest)
    dashed  the names whose lines are dashed
    """

    def __init__(self, title, unit, series, dashed=()):
        self.title, self.unit, self.series, self.dashed = title, unit, series, set(dashed)


PANEL_WIDTH, PANEL_HEIGHT = 470, 300
PANEL_LEFT, PANEL_RIGHT, PANEL_TOP, PANEL_BOTTOM = 62, 14, 34, 40


def lines(title, panels, colours):
    """Panels, two in a row, over depths on a scale of powers of two. `colours`: from a name to the number of its colour."""
    names = list(dict.fromkeys(name for panel in panels for name, _ in panel.series))
    dashed = set().union(*(panel.dashed for panel in panels))
    legend = math.ceil(len(names) / 4)
    top = 40 + 18 * legend
    height = top + math.ceil(len(panels) / 2) * PANEL_HEIGHT + 8
    out = [
        f"<svg xmlns='{NAMESPACE}' viewBox='0 0 {WIDTH} {height}' {FONT} font-size='12'>",
        f"<title>{escape(title)}</title>", f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        f"<text x='16' y='24' font-size='16' font-weight='600'>{escape(title)}</text>",
    ]
    for index, name in enumerate(names):
        x, y = 16 + index % 4 * 235, 46 + index // 4 * 18
        out.append(f"<path d='M{x} {y - 4}h22' stroke='{COLOURS[colours[name]]}' stroke-width='2'{_dash(name, dashed)}/>")
        out.append(f"<text x='{x + 28}' y='{y}'>{escape(name)}</text>")
    for index, panel in enumerate(panels):
        out += _panel(panel, 8 + index % 2 * (PANEL_WIDTH + 4), top + index // 2 * PANEL_HEIGHT, colours)
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _dash(name, dashed):
    return " stroke-dasharray='5 4'" if name in dashed else ""


def _middle(value):
    return value[1] if isinstance(value, tuple) else value


def _panel(panel, left, top, colours):
    depths = sorted({depth for _, values in panel.series for depth in values})
    points = [part for _, values in panel.series for value in values.values()
              for part in (value if isinstance(value, tuple) else (value,)) if part > 0]
    scale = Scale(points, linear_max=5)
    inner_left, inner_right = left + PANEL_LEFT, left + PANEL_WIDTH - PANEL_RIGHT
    inner_top, inner_bottom = top + PANEL_TOP, top + PANEL_HEIGHT - PANEL_BOTTOM

    def across(depth):
        part = math.log2(depth / depths[0]) / max(1, math.log2(depths[-1] / depths[0]))
        return inner_left + part * (inner_right - inner_left)

    def up(value):
        return inner_bottom - scale.part(value) * (inner_bottom - inner_top)

    out = [f"<text x='{inner_left}' y='{top + 20}' font-weight='600'>{escape(panel.title)}</text>",
           f"<text x='{inner_right}' y='{top + 20}' text-anchor='end'>{escape(panel.unit)}</text>"]
    for tick in scale.ticks:
        out.append(f"<path d='M{inner_left} {up(tick):.1f}H{inner_right}' stroke='#dddddd'/>")
        out.append(f"<text x='{inner_left - 6}' y='{up(tick) + 4:.1f}' text-anchor='end'>{tick:g}</text>")
    for depth in depths:
        out.append(f"<path d='M{across(depth):.1f} {inner_top}V{inner_bottom}' stroke='#eeeeee'/>")
        out.append(f"<text x='{across(depth):.1f}' y='{inner_bottom + 16}' text-anchor='middle'>{depth}</text>")
    out.append(f"<text x='{inner_right}' y='{inner_bottom + 32}' text-anchor='end'>depth</text>")
    for name, values in panel.series:
        colour = COLOURS[colours[name]]
        path = " ".join(f"{'L' if at else 'M'}{across(depth):.1f} {up(_middle(values[depth])):.1f}"
                        for at, depth in enumerate(sorted(values)))
        out.append(f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='2'{_dash(name, panel.dashed)}/>")
        for depth in sorted(values):
            value = values[depth]
            x = across(depth)
            if isinstance(value, tuple):
                out.append(f"<path d='M{x:.1f} {up(value[0]):.1f}V{up(value[2]):.1f}' stroke='{colour}' opacity='0.6'/>")
            out.append(f"<circle cx='{x:.1f}' cy='{up(_middle(value)):.1f}' r='3' fill='{colour}'><title>"
                       f"{escape(name)}, depth {depth}: {_middle(value):.4g}</title></circle>")
    return out
