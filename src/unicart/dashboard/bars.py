"""Bar charts: where each bar stands in the picture that a template draws."""

from collections.abc import Sequence

import msgspec

WIDTH, HEIGHT = 720, 220
LEFT, TOP, BOTTOM = 46, 14, 26
MOST_LABELS = 8


class Bar(msgspec.Struct, frozen=True):
    """One bar; only some have their ``name`` written below."""

    name: str
    value: int
    x: int
    y: int
    width: int
    height: int
    labelled: bool


class Chart(msgspec.Struct, frozen=True):
    """A chart, and the numbers that its scale tells, with their heights."""

    title: str
    bars: list[Bar]
    marks: list[tuple[int, int]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def chart(title: str, names: Sequence[str], values: Sequence[int]) -> Chart:
    """The chart of ``values`` (none of them negative) under their ``names``."""
    top = _round(max(values, default=0))
    span, room = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT) // max(len(values), 1)
    every = -(-len(values) // MOST_LABELS)
    bars = []
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        # A value that is not zero is seen.
        height = max(span * value // top, 2) if value else 0
        x, y = LEFT + room * number + room // 8, HEIGHT - BOTTOM - height
        bars.append(Bar(name, value, x, y, room - room // 4, height, number % every == 0))
    marks = [(mark, HEIGHT - BOTTOM - span * mark // top) for mark in sorted({0, top // 2, top})]
    return Chart(title, bars, marks)


def _round(value: int) -> int:
    """The next number that is easy to read: 1, 2 or 5 with zeros behind."""
    size = 1
    while True:
        for step in (1, 2, 5):
            if step * size >= value:
                return step * size
        size *= 10
