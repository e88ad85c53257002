"""Small SVG charts. Their colors are the page's, so they follow its light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Literal

from ratchet.explanations import Reliability
from ratchet.window import Window

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 64, 220, 30, 30
LABEL_GAP = 17
LONG = timedelta(days=70)
Shape = Literal["dot", "cross", "diamond"]


@dataclass(frozen=True)
class Series:
    """One line: values at moments, None where there is none. `style` names its CSS class."""

    label: str
    style: str
    points: tuple[tuple[datetime, float | None], ...]

    @property
    def known(self) -> list[tuple[datetime, float]]:
        """The points that have a value."""
        return [(moment, value) for moment, value in self.points if value is not None]


@dataclass(frozen=True)
class Mark:
    """Something that happened at a moment, on one of a timeline's rows."""

    row: str
    moment: datetime
    shape: Shape
    text: str


@dataclass(frozen=True)
class Span:
    """Something that lasted, on one of a timeline's rows.

    `label` stands on it where there is room, `tip` beside the pointer. `style` names CSS classes.
    """

    row: str
    window: Window
    label: str
    tip: str
    style: str = "span"


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.start + share * (self.end - self.start), 1)


def line_chart(
    series: Sequence[Series],
    period: Window,
    *,
    title: str,
    form: str,
    changes: Sequence[tuple[datetime, str]] = (),
    include_zero: bool = False,
) -> str:
    """Draw lines over time, each labelled at its end.

    Parameters
    ----------
    title
        What the vertical axis shows, with its unit.
    form
        Format of a value, like `.3f`.
    changes
        Moments at which a new champion took over, and its name.
    include_zero
        Whether the vertical axis must reach 0.
    """
    height = 320
    x = _time_scale(period)
    drawn = [one for one in series if one.known]
    values = [value for one in drawn for _, value in one.known] + [0.0] * include_zero
    ticks, digits = _ticks(min(values), max(values))
    y = _Scale(ticks[0], ticks[-1], height - BOTTOM, TOP)
    parts = [f'<text class="axis" x="{LEFT}" y="14">{escape(title)}</text>']
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
            f'<text class="tick end" x="{LEFT - 8}" y="{y(tick) + 4}">{tick:,.{digits}f}</text>'
        )
    parts += _time_axis(period, x, height)
    for moment, name in changes:
        at = x(moment.timestamp())
        parts.append(
            f'<line class="change" x1="{at}" x2="{at}" y1="{TOP}" y2="{height - BOTTOM}">'
            f"<title>{escape(name)}</title></line>"
        )
    for one in reversed(drawn):  # the first lies on top
        parts += _line(one, x, y, form)
    parts += _end_labels([(one, y(one.known[-1][1])) for one in drawn], form)
    return _svg(parts, height, title)


def bar_chart(bars: Sequence[tuple[str, str, float]], *, title: str, form: str) -> str:
    """Draw horizontal bars from zero: label, CSS class and value of each."""
    step, bar, first = 34, 20, 30
    height = first + step * len(bars)
    left = 190
    values = [value for _, _, value in bars]
    x = _Scale(min(0.0, *values), max(0.0, *values), left, WIDTH - 110)
    parts = [f'<text class="axis" x="{left}" y="14">{escape(title)}</text>']
    for row, (label, style, value) in enumerate(bars):
        top = first + row * step
        begin, end = sorted((x(0), x(value)))
        parts.append(
            f'<text class="label end" x="{left - 12}" y="{top + 15}">{escape(label)}</text>'
            f'<rect class="{style} fill" x="{begin}" y="{top}" width="{end - begin:.1f}" '
            f'height="{bar}" rx="2"/>'
            f'<text class="label" x="{end + 8}" y="{top + 15}">{value:{form}}</text>'
        )
    parts.append(f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="{first - 6}" y2="{height - 6}"/>')
    return _svg(parts, height, title)


def reliability_chart(bins: Sequence[Reliability]) -> str:
    """Draw what was said against what occurred, with its interval; right is on the diagonal."""
    height, side = 380.0, 320.0
    largest = max(max(each.said, each.high or each.occurred) for each in bins)
    ticks, digits = _ticks(0.0, largest)
    x = _Scale(ticks[0], ticks[-1], LEFT, LEFT + side)
    y = _Scale(ticks[0], ticks[-1], height - BOTTOM, height - BOTTOM - side)
    parts = [f'<text class="axis" x="{LEFT}" y="14">What occurred, by what was said</text>']
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{LEFT + side}" y1="{y(tick)}" y2="{y(tick)}"/>'
            f'<text class="tick end" x="{LEFT - 8}" y="{y(tick) + 4}">{tick:.{digits}f}</text>'
            f'<text class="tick middle" x="{x(tick)}" y="{height - 8}">{tick:.{digits}f}</text>'
        )
    parts.append(
        f'<line class="change" x1="{x(ticks[0])}" y1="{y(ticks[0])}" x2="{x(ticks[-1])}" '
        f'y2="{y(ticks[-1])}"/>'
    )
    for each in bins:
        at = x(each.said)
        if each.low is not None and each.high is not None:
            low, high = y(max(each.low, 0.0)), y(each.high)
            parts.append(f'<line class="zero" x1="{at}" x2="{at}" y1="{low}" y2="{high}"/>')
        parts.append(
            f'<circle class="decision fill" cx="{at}" cy="{y(each.occurred)}" r="4">'
            f"<title>said {each.said:.3f}, occurred {each.occurred:.3f}</title></circle>"
        )
    return _svg(parts, height, "Calibration")


def timeline(
    rows: Sequence[str], spans: Sequence[Span], marks: Sequence[Mark], period: Window, title: str
) -> str:
    """Draw what lasted and what happened, one row for each kind."""
    step, first = 34, 8
    height = first + step * len(rows) + BOTTOM
    left = 176
    x = _Scale(period.start.timestamp(), period.end.timestamp(), left, WIDTH - 24)
    middle = {row: first + step * number + step / 2 for number, row in enumerate(rows)}
    parts = _time_axis(period, x, height)
    for row, y in middle.items():
        parts.append(
            f'<text class="label end" x="{left - 16}" y="{y + 4}">{escape(row)}</text>'
            f'<line class="grid" x1="{left}" x2="{WIDTH - 24}" y1="{y}" y2="{y}"/>'
        )
    for span in spans:
        begin, end = x(span.window.start.timestamp()), x(span.window.end.timestamp())
        y = middle[span.row]
        parts.append(
            f'<rect class="{span.style}" x="{begin}" y="{y - 11}" width="{end - begin:.1f}" '
            f'height="22" rx="3"><title>{escape(span.tip)}</title></rect>'
        )
        if span.label and end - begin > 8 * len(span.label):
            center = (begin + end) / 2
            parts.append(
                f'<text class="on-span" x="{center:.1f}" y="{y + 4}">{escape(span.label)}</text>'
            )
    for mark in marks:
        at, y = x(mark.moment.timestamp()), middle[mark.row]
        tip = f"<title>{mark.moment:%Y-%m-%d}: {escape(mark.text)}</title>"
        parts.append(f'<g transform="translate({at} {y})">{tip}{_SHAPES[mark.shape]}</g>')
    return _svg(parts, height, title)


_SHAPES = {
    "dot": '<circle class="dot" r="6"/>',
    "cross": '<path class="cross" d="M-5-5 5 5M-5 5 5-5"/>',
    "diamond": '<path class="diamond" d="M0-6 6 0 0 6-6 0Z"/>',
}


def _svg(parts: Sequence[str], height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _time_scale(period: Window) -> _Scale:
    return _Scale(period.start.timestamp(), period.end.timestamp(), LEFT, WIDTH - RIGHT)


def _time_axis(period: Window, x: Callable[[float], float], height: float) -> list[str]:
    is_long = period.end - period.start > LONG
    day, parts = period.start, []
    while day <= period.end:
        if day.day == 1 if is_long else (day - period.start).days % 7 == 0:
            at = x(day.timestamp())
            parts.append(
                f'<line class="grid" x1="{at}" x2="{at}" y1="{height - BOTTOM}" '
                f'y2="{height - BOTTOM + 5}"/><text class="tick middle" x="{at}" '
                f'y="{height - 8}">{day:{"%b" if is_long else "%-d %b"}}</text>'
            )
        day += timedelta(days=1)
    return parts


def _line(series: Series, x: Callable[[float], float], y: _Scale, form: str) -> list[str]:
    places = [(x(m.timestamp()), y(v), m, v) for m, v in series.known]
    path = " ".join(f"{px},{py}" for px, py, _, _ in places)
    dots = "".join(
        f'<circle class="{series.style} point" cx="{px}" cy="{py}" r="2.5">'
        f"<title>{escape(series.label)}, {m:%Y-%m-%d}: {v:{form}}</title></circle>"
        for px, py, m, v in places
    )
    return [f'<polyline class="{series.style} stroke" points="{path}"/>', dots]


def _end_labels(ends: Sequence[tuple[Series, float]], form: str) -> list[str]:
    """Place labels beside the lines' ends, pushed apart where they would overlap."""
    parts, lowest = [], -math.inf
    for series, wanted in sorted(ends, key=lambda end: end[1]):
        lowest = max(wanted, lowest + LABEL_GAP)
        at = WIDTH - RIGHT + 14
        parts.append(
            f'<circle class="{series.style} fill" cx="{at}" cy="{lowest}" r="5"/>'
            f'<text class="label" x="{at + 10}" y="{lowest + 4}">{escape(series.label)} '
            f'<tspan class="strong">{series.known[-1][1]:{form}}</tspan></text>'
        )
    return parts


def _ticks(low: float, high: float, wanted: int = 5) -> tuple[list[float], int]:
    """Return round numbers that enclose [low, high], and the decimals that they need."""
    rough = (high - low or abs(high) or 1) / wanted
    exponent = math.floor(math.log10(rough))
    factor = next(f for f in (1, 2, 5, 10) if f * 10**exponent >= rough)
    step = factor * 10**exponent
    first, last = math.floor(low / step), math.ceil(high / step)
    digits = max(0, -math.floor(math.log10(step)))
    return [number * step for number in range(first, max(last, first + 1) + 1)], digits
