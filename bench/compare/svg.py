"""Draws lines and bars as SVG: no more than the plots of bench/ need."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
COLOURS = ["#0b6e99", "#5fb0d3", "#c0504d", "#e0a030", "#6a8f3c", "#7a5aa6"]
STYLE = "font-family:sans-serif;font-size:12px"


class Axis:
    """Values to places between two of the picture, linear or logarithmic."""

    def __init__(self, values, start, end, is_log):
        self.is_log = is_log
        values = [value for value in values if not is_log or value > 0] or [1]
        low = min(values) if is_log else 0
        high = max(values)
        self.low, self.high = (low, high if high > low else low * 2 or 1)
        self.start, self.end = start, end

    def __call__(self, value):
        low, high, value = self.low, self.high, max(value, self.low)
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self):
        """Round values within."""
        if self.is_log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = [1] if last - first > 3 else [1, 2, 5]
            found = [step * 10**power for power in range(first, last + 1) for step in steps]
        else:
            step = _round_step(self.high / 5)
            found = [step * n for n in range(int(self.high / step) + 1)]
        slack = 1 + 1e-9
        return [tick for tick in found if self.low / slack <= tick <= self.high * slack]


def _round_step(rough):
    power = 10 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def said(value):
    """A number as it stands at an axis."""
    for size, unit in ((10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def lines(title, x_title, y_title, series, logs=(False, False)):
    """A picture of named lines, each a list of points."""
    points = [point for _, line in series for point in line]
    x = Axis([point[0] for point in points], LEFT, WIDTH - RIGHT, logs[0])
    y = Axis([point[1] for point in points], HEIGHT - BOTTOM, TOP, logs[1])
    parts = [_frame(title, x_title, y_title), _grid_y(y)]
    for tick in x.ticks():
        parts.append(_text(x(tick), HEIGHT - BOTTOM + 18, said(tick), "middle"))
        parts.append(_line(x(tick), TOP, x(tick), HEIGHT - BOTTOM))
    for number, (name, line) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for at, value in line:
            parts.append(f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>')
        parts.append(_key(number, name, colour))
    return _picture(parts)


def bars(title, y_title, groups, names, is_log=False):
    """A picture of groups of bars: (title, a value or none for each name)."""
    values = [value for _, group in groups for value in group if value]
    y = Axis([*values, min(values, default=1) / 2], HEIGHT - BOTTOM, TOP, is_log)
    parts = [_frame(title, "", y_title), _grid_y(y)]
    room = (WIDTH - LEFT - RIGHT) / max(len(groups), 1)
    width = room * 0.8 / max(len(names), 1)
    for place, (group, heights) in enumerate(groups):
        first = LEFT + room * (place + 0.1)
        parts.append(_text(first + room * 0.4, HEIGHT - BOTTOM + 18, group, "middle"))
        for number, value in enumerate(heights):
            if value:
                parts.append(_bar(first + number * width, y(value), width, number))
    parts += [_key(number, name, COLOURS[number]) for number, name in enumerate(names)]
    return _picture(parts)


def _bar(left, top, width, number):
    height = HEIGHT - BOTTOM - top
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width * 0.9:.1f}" height="{height:.1f}" '
        f'fill="{COLOURS[number]}"/>'
    )


def _grid_y(y):
    marks = []
    for tick in y.ticks():
        marks.append(_text(LEFT - 6, y(tick) + 4, said(tick), "end"))
        marks.append(_line(LEFT, y(tick), WIDTH - RIGHT, y(tick)))
    return "\n".join(marks)


def _frame(title, x_title, y_title):
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 16 {middle})"'
    return "\n".join(
        [
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            _text(LEFT, 22, title, "start", 'font-weight="bold"'),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title, "middle"),
            _text(16, middle, y_title, "middle", turned),
        ]
    )


def _key(number, name, colour):
    top = TOP + 20 * number
    mark = f'<rect x="{WIDTH - RIGHT + 12}" y="{top}" width="12" height="12" fill="{colour}"/>'
    return mark + _text(WIDTH - RIGHT + 30, top + 10, name, "start")


def _line(left, top, right, bottom):
    ends = f'x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"'
    return f'<line {ends} stroke="#dddddd"/>'


def _text(left, top, text, anchor, more=""):
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _picture(parts):
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">'
    return "\n".join([head, *parts, "</svg>", ""])
