"""Charts as SVG, drawn here: they need nothing from anywhere and take their colours from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 12, 34
Y_TICKS, X_TICKS = 4, 6


@dataclass(frozen=True)
class Line:
    """A line of a chart. ``colour`` is a name that the page's style knows."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    filled: bool = False


def chart(title: str, lines: Sequence[Line], *, x: str, y: str, bound: tuple[str, float] | None = None) -> str:
    """Draw lines over one axis.

    x, y   what the axes measure.
    bound  a level that is asked for, with its name. It is left out where it lies far above everything.
    """
    highest = max((value for line in lines for _, value in line.points), default=0.0)
    if bound is not None and bound[1] <= 3 * max(highest, 1e-9):
        highest = max(highest, bound[1])
    else:
        bound = None
    instants = [at for line in lines for at, _ in line.points]
    frame = Frame(max(instants, default=0.0), highest, whole=all(at == int(at) for at in instants))
    drawn = [*frame.grid(), *(shape for line in lines for shape in frame.line(line))]
    if bound is not None:
        drawn += frame.level(*bound)
    legend = "".join(f'<span class="key {line.colour}">{escape(line.name)}</span>' for line in lines)
    return (
        f'<figure><figcaption>{escape(title)}<span class="legend">{legend}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(drawn)}'
        f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(x)}</text>'
        f'<text class="axis" x="4" y="{HEIGHT - 4}">{escape(y)}</text></svg></figure>'
    )


class Frame:
    """Where values lie in the picture. Both axes begin at 0.

    whole  along the lower one lie whole numbers.
    """

    def __init__(self, widest: float, highest: float, *, whole: bool) -> None:
        self._x_step = max(_axis(widest, X_TICKS)[0], 1.0 if whole else 0.0)
        self._y_step, self._top = _axis(highest, Y_TICKS)
        self._right = max(widest, 1e-9)  # the last value stands at the edge

    def grid(self) -> list[str]:
        """Lines across, with their numbers, and the numbers below."""
        levels = [number * self._y_step for number in range(round(self._top / self._y_step) + 1)]
        instants = [number * self._x_step for number in range(int(self._right / self._x_step + 1e-9) + 1)]
        drawn, below = [], HEIGHT - BOTTOM + 15
        for level in levels:
            y = self.y(level)
            drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            drawn.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(level)}</text>')
        drawn += [
            f'<text class="tick" x="{self.x(at):.1f}" y="{below}" text-anchor="middle">{_number(at)}</text>'
            for at in instants
        ]
        return drawn

    def line(self, line: Line) -> list[str]:
        """A line, and what lies below it where it is filled."""
        if not line.points:
            return []
        path = " ".join(f"{self.x(at):.1f},{self.y(value):.1f}" for at, value in line.points)
        drawn = [f'<polyline class="line {line.colour}" points="{path}"/>']
        if line.filled:
            first, last, floor = self.x(line.points[0][0]), self.x(line.points[-1][0]), self.y(0)
            below = f"{first:.1f},{floor:.1f} {path} {last:.1f},{floor:.1f}"
            drawn.insert(0, f'<polygon class="area {line.colour}" points="{below}"/>')
        return drawn

    def level(self, name: str, value: float) -> list[str]:
        """A level that is asked for."""
        y = self.y(value)
        return [
            f'<line class="bound" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text class="bound" x="{LEFT + 4}" y="{y - 4:.1f}">{escape(name)}</text>',
        ]

    def x(self, value: float) -> float:
        """From the left."""
        return LEFT + value / self._right * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """From above."""
        return HEIGHT - BOTTOM - value / self._top * (HEIGHT - TOP - BOTTOM)


def _axis(most: float, ticks: int) -> tuple[float, float]:
    """A step of 1, 2 or 5 times a power of ten, and the first multiple of it that is not below ``most``."""
    if most <= 0:
        return 1.0, float(ticks)
    power = 10 ** math.floor(math.log10(most / ticks))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * ticks >= most * 0.999)
    return step, math.ceil(most / step - 1e-9) * step


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
