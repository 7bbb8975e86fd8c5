"""Pictures of a run as SVG: series, a panel for each group of lines, one above the other, on one axis, mostly of
minutes; or bars, a panel for each group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from attrs import frozen

WIDTH, PANEL, GAP = 960, 120, 48
LEFT, RIGHT, TOP = 64, 190, 56
BAR, NAMES = 24, 220
COLOURS = ("#1d4ed8", "#b45309", "#15803d", "#be185d", "#6d28d9")
FONT = "font-family: system-ui, sans-serif; font-size: 12px"
# About so many lines across a panel.
GRID = 4


@frozen
class Line:
    name: str
    values: Sequence[float | None]


@frozen
class Panel:
    """Lines in one unit; the axis begins at 0, unless what matters is how it changes."""

    title: str
    lines: Sequence[Line]
    from_zero: bool = True


@frozen
class Bars:
    """Values in one unit, from 0, by their names: of whom, and behind a comma of what."""

    title: str
    values: Mapping[str, float]


def steps(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about `GRID` apart."""
    span = max(high - low, 1e-9)
    size = 10 ** math.floor(math.log10(span / GRID))
    size *= next(factor for factor in (1, 2, 5, 10) if span / (size * factor) <= GRID)
    first, last = math.floor(low / size), math.ceil(high / size)
    return [number * size for number in range(first, last + 1)]


def draw(title: str, along: Sequence[float], panels: Sequence[Panel], *, unit: str = "min") -> str:
    """The SVG, on white, as text; `along` is where the values of all lines are, in `unit`, ascending."""
    svg = _sheet(title, TOP + len(panels) * (PANEL + GAP) + 16)
    for number, panel in enumerate(panels):
        _panel(svg, TOP + number * (PANEL + GAP), along, panel, unit)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def bars(title: str, groups: Sequence[Bars]) -> str:
    """The SVG, on white, as text: in each group the longest bar is as wide as the sheet, and everybody has a colour."""
    whose = list(dict.fromkeys(name.partition(",")[0] for group in groups for name in group.values))
    svg = _sheet(title, TOP + sum(len(group.values) * BAR + GAP for group in groups))
    top = TOP
    for group in groups:
        _text(svg, LEFT, top - 6, group.title, weight="600")
        most = max(group.values.values(), default=0.0) or 1.0
        for number, (name, value) in enumerate(group.values.items()):
            y, length = top + number * BAR, value / most * (WIDTH - NAMES - RIGHT)
            place = {"x": str(NAMES), "y": str(y + 3), "width": f"{length:.1f}", "height": str(BAR - 6)}
            colour = COLOURS[whose.index(name.partition(",")[0]) % len(COLOURS)]
            ElementTree.SubElement(svg, "rect", {**place, "fill": colour})
            _text(svg, NAMES - 8, y + 16, name, anchor="end")
            _text(svg, NAMES + length + 8, y + 16, f"{value:g}")
        top += len(group.values) * BAR + GAP
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _sheet(title: str, height: int) -> ElementTree.Element:
    """An empty one, with its title."""
    svg = ElementTree.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", style=FONT, role="img"
    )
    ElementTree.SubElement(svg, "title").text = title
    ElementTree.SubElement(svg, "rect", width=str(WIDTH), height=str(height), fill="white")
    _text(svg, LEFT, 22, title, weight="600")
    return svg


def _text(parent: ElementTree.Element, x: float, y: float, text: str, *, anchor: str = "start", weight: str = "400",
          fill: str = "#1f2937") -> None:  # fmt: skip
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "font-weight": weight, "fill": fill}
    ElementTree.SubElement(parent, "text", place).text = text


def _panel(svg: ElementTree.Element, top: float, along: Sequence[float], panel: Panel, unit: str) -> None:
    known = [value for line in panel.lines for value in line.values if value is not None] or [0.0]
    grid = steps(0.0 if panel.from_zero else min(known), max(known) or 1.0)
    low, high = grid[0], max(grid[-1], grid[0] + 1e-9)
    first, last = (along[0], max(along[-1], along[0] + 1e-9)) if along else (0.0, 1.0)
    right = WIDTH - RIGHT

    def x(place: float) -> float:
        return LEFT + (place - first) / (last - first) * (right - LEFT)

    def y(value: float) -> float:
        return top + PANEL - (value - low) / (high - low) * PANEL

    _text(svg, LEFT, top - 6, panel.title, weight="600")
    for value in grid:
        ends = {"x1": str(LEFT), "x2": str(right), "y1": f"{y(value):.1f}", "y2": f"{y(value):.1f}"}
        ElementTree.SubElement(svg, "line", {**ends, "stroke": "#e5e7eb"})
        _text(svg, LEFT - 6, y(value) + 4, f"{value:g}", anchor="end", fill="#6b7280")
    for place in steps(first, last):
        if first <= place <= last:
            _text(svg, x(place), top + PANEL + 16, f"{place:g} {unit}", anchor="middle", fill="#6b7280")
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        path, pen = [], "M"
        for place, known_or_not in zip(along, line.values, strict=True):
            if known_or_not is None:
                pen = "M"
                continue
            path.append(f"{pen}{x(place):.1f} {y(known_or_not):.1f}")
            pen = "L"
        ElementTree.SubElement(
            svg, "path", {"d": " ".join(path), "fill": "none", "stroke": colour, "stroke-width": "1.5"}
        )
        _text(svg, right + 10, top + 12 + 16 * number, line.name, fill=colour)
