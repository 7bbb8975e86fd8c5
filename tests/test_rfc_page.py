"""docs/rfc.md names places that there are: what obeys a section is found where it says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("sip", "switch", "codecs", "actors")
_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


def places() -> list[str]:
    """Of the tables of what is obeyed."""
    found: dict[str, None] = {}
    for part in (ROOT / "docs" / "rfc.md").read_text(encoding="utf-8").split("\n## "):
        if not part.partition("\n")[0].endswith("obeyed"):
            continue
        for row in part.splitlines():
            if row.startswith("| ") and not row.startswith("| RFC"):
                found.update(dict.fromkeys(re.findall(r"`([^`]+)`", row.rpartition(" | ")[2])))
    return list(found)


def modules() -> dict[str, str]:
    """By what the page calls them, the modules, and by their names the classes, with where each is."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            short = name.replace(".", "/")
            found[short.removeprefix("sip/")] = found[short] = f"cordboard.{name}"
            for made in _CLASS.findall(path.read_text(encoding="utf-8")):
                found.setdefault(made, f"cordboard.{name}")
    return found


MODULES = modules()


@pytest.mark.parametrize("place", places())
def test_what_obeys_a_section_is_where_the_page_says(place: str) -> None:
    if place in MODULES or (ROOT / f"{place}.py").exists():
        return
    owner, dot, member = place.rpartition(".")
    assert dot, place
    assert owner in MODULES, place
    inside = importlib.import_module(MODULES[owner])
    assert hasattr(getattr(inside, owner, inside), member), place
