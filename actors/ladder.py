"""A trace as a picture: who took part stands above, time runs down, an arrow is something that one told another.

`text` draws it for a terminal, `svg` for a page. Both have the same columns, in the order in which a call passes them:
the trunk, SIP, the call, those who decide, the agents with their pages, the media.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree

from .trace import CALL, MEDIA, SIP, Kind, Line, Trace

# Columns of a terminal: of the time, and the least and the most between two lifelines.
_TIME: Final = 10
_NARROW, _WIDE = 12, 40
# Of the picture, in pixels.
_SIGN, _ROW, _TOP, _LEFT, _MARGIN = 6.6, 22, 84, 90, 16
_COLOURS: Final = {
    Kind.SIP: "#1d4ed8",
    Kind.ACTOR: "#1f2937",
    Kind.PAGE: "#15803d",
    Kind.MEDIA: "#b45309",
    Kind.STATE: "#6d28d9",
}
_FONT: Final = "font-family: ui-monospace, monospace; font-size: 11px"


def participants(lines: Sequence[Line]) -> list[str]:
    """Who is in it, from left to right."""
    found = dict.fromkeys(end for line in lines for end in (line.source, line.target))
    return sorted(found, key=_place)


def _place(name: str) -> tuple[int, str, int]:
    if name.endswith(" (SIP)"):
        return 0, name, 0
    kind, _, rest = name.partition(":")
    if name.startswith("page "):
        return 7, name.removeprefix("page "), 1  # beside its agent
    order = {SIP: 1, CALL: 2, "trunk": 3, "switchboard": 4, "queue": 5, "agent": 7, MEDIA: 8}
    return order.get(kind, 6), rest, 0


def title(trace: Trace) -> str:
    """One line that says which call this is; what was refused before it was one has no id."""
    when = datetime.fromtimestamp(trace.lines[0].at, UTC).isoformat(" ", "seconds")
    parts = [
        f"call {trace.call}" if trace.call else "no call",
        trace.trunk and f"trunk {trace.trunk}",
        f"began {when.removesuffix('+00:00')} UTC",
    ]
    return ", ".join(part for part in parts if part)


def _centres(names: Sequence[str], lines: Sequence[Line], narrow: float, wide: float, sign: float) -> list[float]:
    """Where the lifelines are: as near to each other as names and what is said between neighbours allow."""
    at = {name: number for number, name in enumerate(names)}
    gaps = [max(narrow, sign * (len(left) + len(right) + 6) / 2) for left, right in pairwise(names)]
    for line in lines:
        begin, end = sorted((at[line.source], at[line.target]))
        if end == begin + 1:
            gaps[begin] = max(gaps[begin], min(wide, sign * (len(line.text) + 6)))
    places = [sign * len(names[0]) / 2]
    for gap in gaps:
        places.append(places[-1] + gap)
    return places


# --- a terminal -----------------------------------------------------------------------------------------------------


def text(trace: Trace) -> str:
    """Lines of text, with seconds since the first message."""
    names = participants(trace.lines)
    notes = max((len(line.text) for line in trace.lines if line.source == line.target == names[-1]), default=0)
    places = [_TIME + 2 + round(place) for place in _centres(names, trace.lines, _NARROW, _WIDE, 1)]
    width = places[-1] + max(notes + 3, len(names[-1]))
    at = dict(zip(names, places, strict=True))
    began = trace.lines[0].at
    drawn = [title(trace), "", _named(at, width)]
    for line in trace.lines:
        row = _row(at.values(), width)
        _put(row, 0, f"{line.at - began:>{_TIME}.3f}")
        begin, end = at[line.source], at[line.target]
        if begin == end:
            _put(row, begin, f"* {line.text}")
        else:
            _arrow(row, begin, end, line.text)
        drawn.append("".join(row).rstrip())
    drawn.append(_named(at, width))
    return "\n".join([*drawn, *_left_out(trace)]) + "\n"


def _named(at: dict[str, int], width: int) -> str:
    row = [" "] * width
    for name, place in at.items():
        _put(row, max(place - len(name) // 2, 0), name)
    return "".join(row).rstrip()


def _row(places: Iterable[int], width: int) -> list[str]:
    row = [" "] * width
    for place in places:
        row[place] = "|"
    return row


def _arrow(row: list[str], begin: int, end: int, said: str) -> None:
    low, high = sorted((begin, end))
    for place in range(low + 1, high):
        row[place] = "-"
    row[high - 1 if end == high else low + 1] = ">" if end == high else "<"
    room = high - low - 5
    shown = said if len(said) <= room else said[: max(room - 1, 1)] + "~"
    _put(row, low + 2 + (high - low - 3 - len(shown) - 1) // 2, f" {shown} ")


def _put(row: list[str], place: int, said: str) -> None:
    for number, sign in enumerate(said):
        if place + number < len(row):
            row[place + number] = sign


def _left_out(trace: Trace) -> list[str]:
    notes = []
    if trace.reports:
        notes.append(f"not drawn: reports of how it sounded, {trace.reports}")
    if trace.unread:
        notes.append(f"not read: steps that another version of the code wrote, {trace.unread}")
    return notes


# --- a page ---------------------------------------------------------------------------------------------------------


def svg(trace: Trace) -> str:
    """The same as a picture on white."""
    names = participants(trace.lines)
    centres = _centres(names, trace.lines, 12 * _SIGN, 44 * _SIGN, _SIGN)
    at = {name: _LEFT + _MARGIN + place for name, place in zip(names, centres, strict=True)}
    last = max(
        (line.text for line in trace.lines if line.source == line.target == names[-1]), key=len, default=names[-1]
    )
    width = at[names[-1]] + _SIGN * len(last) + 2 * _MARGIN
    height = _TOP + _ROW * (len(trace.lines) + 2 + len(_left_out(trace)))
    root = ElementTree.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:.0f} {height}", style=_FONT, role="img"
    )
    ElementTree.SubElement(root, "title").text = title(trace)
    ElementTree.SubElement(root, "rect", width=f"{width:.0f}", height=str(height), fill="white")
    _say(root, _MARGIN, 22, title(trace), weight="600")
    key = _MARGIN
    for kind, colour in _COLOURS.items():
        _say(root, key, 42, kind.value, colour=colour, weight="600")
        key += int(_SIGN * (len(kind.value) + 3))
    bottom = _TOP + _ROW * len(trace.lines)
    for name, place in at.items():
        _stroke(root, place, _TOP - 8, place, bottom, "#9ca3af", dashed=True)
        for y in (_TOP - 14, bottom + 16):
            _say(root, place, y, name, anchor="middle", weight="600")
    for number, line in enumerate(trace.lines):
        _draw(root, _TOP + _ROW * number + 12, line, line.at - trace.lines[0].at, at)
    for number, note in enumerate(_left_out(trace)):
        _say(root, _MARGIN, bottom + 38 + _ROW * number, note, colour="#6b7280")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _draw(root: ElementTree.Element, y: float, line: Line, since: float, at: dict[str, float]) -> None:
    colour = _COLOURS[line.kind]
    begin, end = at[line.source], at[line.target]
    _say(root, _LEFT - 8, y + 4, f"{since:.3f}", anchor="end", colour="#6b7280")
    if begin == end:
        ElementTree.SubElement(root, "circle", cx=f"{begin:.1f}", cy=f"{y:.1f}", r="3", fill=colour)
        _say(root, begin + 7, y + 4, line.text, colour=colour, over=True)
        return
    way = 1 if end > begin else -1
    _stroke(root, begin, y, end - way * 6, y, colour)
    points = f"{end:.1f},{y} {end - way * 7:.1f},{y - 3.5} {end - way * 7:.1f},{y + 3.5}"
    ElementTree.SubElement(root, "polygon", points=points, fill=colour)
    room = int((abs(end - begin) - 16) / _SIGN)
    shown = line.text if len(line.text) <= room else line.text[: max(room - 1, 1)] + "…"
    _say(root, (begin + end) / 2, y - 4, shown, anchor="middle", colour=colour, over=True)


def _stroke(
    root: ElementTree.Element, x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False
) -> None:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    line = ElementTree.SubElement(root, "line", ends, stroke=colour)
    if dashed:
        line.set("stroke-dasharray", "2 3")


def _say(
    root: ElementTree.Element,
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    colour: str = "#1f2937",
    weight: str = "400",
    over: bool = False,
) -> None:
    """Words; `over` a lifeline they have a white edge."""
    look = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": colour, "font-weight": weight}
    if over:
        look |= {"paint-order": "stroke", "stroke": "white", "stroke-width": "3"}
    ElementTree.SubElement(root, "text", look).text = said
