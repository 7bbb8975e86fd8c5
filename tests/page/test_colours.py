"""The colours of the pages, light and dark: what is written can be read, and what is drawn is seen.

WCAG 2.2, 1.4.3 and 1.4.11, of the colours as they are named in `tokens.css`.
"""

from __future__ import annotations

import re

import pytest

from tests.page.door import STATIC

HUES = ("grey", "green", "amber", "blue", "violet", "red", "rose")
GROUNDS = ("page", "panel", "raised", "sunken")
# What is written on what.
WRITTEN = (
    *((ink, ground) for ink in ("ink", "ink-quiet") for ground in (*GROUNDS, "grey-tint")),
    *((hue, ground) for hue in HUES for ground in ("panel", f"{hue}-tint")),
    *(("ink", f"{hue}-tint") for hue in HUES),
    ("accent", "panel"),
    ("accent", "accent-tint"),
    ("on-accent", "accent"),
    ("panel", "amber"),
    ("blue", "sunken"),
    ("green", "sunken"),
    *(("white", ground) for ground in ("answer", "answer-over", "hang-up", "hang-up-over")),
)
# Edges of what can be pressed, and where the keyboard is.
DRAWN = tuple((edge, ground) for edge in ("line-strong", "focus") for ground in GROUNDS)
TEXT, GRAPHICS = 4.5, 3.0


def colours(scheme: str) -> dict[str, str]:
    """Those of a scheme by their names; what dark does not say is as in light."""
    text = (STATIC / "style" / "tokens.css").read_text()
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", light)
    if scheme == "dark":
        found += re.findall(r"--([\w-]+): #([0-9a-f]{6});", dark)
    return {"white": "ffffff", **dict(found)}


def luminance(colour: str) -> float:
    """Relative luminance of sRGB, as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_as_it_is_defined() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)  # the grey that just fails


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read_and_what_is_drawn_is_seen(scheme: str) -> None:
    known = colours(scheme)
    found = {pair: contrast(known[pair[0]], known[pair[1]]) for pair in (*WRITTEN, *DRAWN)}
    low = {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < (GRAPHICS if pair in DRAWN else TEXT)}
    assert low == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_is_held_is_paler_and_can_be_read(scheme: str) -> None:
    found = re.search(
        r"\[data-stands='held'\].*:is\(h2, \.caller-name, \.party\) \{ opacity: ([\d.]+); \}",
        (STATIC / "style" / "call.css").read_text(),
    )
    assert found is not None
    known, share = colours(scheme), float(found[1])
    parts = zip(*(bytes.fromhex(known[name]) for name in ("ink", "panel")), strict=True)
    mixed = bytes(round(share * ink + (1 - share) * panel) for ink, panel in parts).hex()
    assert contrast(mixed, known["panel"]) >= TEXT
