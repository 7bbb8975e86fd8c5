"""Brings the pinned browser libraries into web/static/vendor: `python web/vendor.py`, after a version below is changed.

Each package comes by `npm pack` in the exact version and with the exact hash written here. Of Web Awesome's bundle only
the components the pages use are kept, with the chunks they import; Lit's bare imports become relative ones, because an
import map would need an inline script and the pages' policy allows none; of Lucide the named icons become one sprite;
wavesurfer.js is one module, without its plugins, and uPlot one with its style sheet; libphonenumber-js, which knows how
each country writes its numbers, is its bundle with the smallest data, made a module.
The result is committed, so that a server needs no registry and no build step.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from xml.etree import ElementTree

TARGET = Path(__file__).parent / "static" / "vendor"

# name -> version and SHA-512 of the package, both as npm reports them
PACKAGES = {
    "@awesome.me/webawesome": (
        "3.14.0",
        "m5rTGLK/iOvaVFOkYxRjiBOp8lwrBap5tv+zz1gsqLgAxlfwdvElB7BVGjs+Lf9gDps7bWRPTkG0FwZk40mk2A==",
    ),
    "lit": ("3.3.3", "fycuvZg/hkpozL00lm1pEJH5nN/lr9ZXd6mJI2HSN4+Bzc+LDNdEApJ6HFbPkdFNHLvOplIIuJvxkS4XUxqirw=="),
    "lit-element": (
        "4.2.2",
        "aFKhNToWxoyhkNDmWZwEva2SlQia+jfG0fjIWV//YeTaWrVnOxD89dPKfigCUspXFmjzOEUQpOkejH5Ly6sG0w==",
    ),
    "lit-html": ("3.3.3", "el8M6jK2o3RXBnrSHX3ZKrsN8zEV63pSExTO1wYJz7QndGYZ8353e2a5PPX+qHe2aGayfnchQmkAojaWAREOIA=="),
    "@lit/reactive-element": (
        "2.1.2",
        "pbCDiVMnne1lYUIaYNN5wrwQXDtHaYtg7YEFPeW+hws6U47WeFvISGUWekPGKWOP1ygrs0ef0o1VJMk1exos5A==",
    ),
    "lucide-static": (
        "1.62.0",
        "WBZA/m2PvkFpMGHDtsBck5P2A9G4ehLlYu4GwwICcmEm1BvYVgj00lCDxKRWLlbMlOibLaiwdQ88G5pHkSWgwA==",
    ),
    "wavesurfer.js": (
        "8.0.1",
        "h0OnRWSVTqIYLSw3/IVrBtsun/xw9L5u4FA3bjfSDTFMX/xswVWS1JwK4fFu3ulmxRUSHg8zQORl6zENG983eg==",
    ),
    "libphonenumber-js": (
        "1.13.16",
        "tIOCM9yx2Go6d5/ZANe0K+G4AZek1Ymx81HxQpf19Sri4zMP95eQbKdnUGHAvFQ4nx0PeLhFqvAfisTADXj3tQ==",
    ),
    "uplot": ("1.6.32", "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="),
}

# Entry points inside dist-cdn; what they import comes with them.
KIT = [
    "components/dialog/dialog.js",
    "components/option/option.js",
    "components/popover/popover.js",
    "components/select/select.js",
    "components/icon/library.js",
    "translations/zh-cn.js",
]

LIT = ["lit/index.js", "lit/directives/repeat.js"]

# What a bare import of a package without a path means, by its package.json.
MAIN = {"lit-html": "lit-html/lit-html.js", "@lit/reactive-element": "@lit/reactive-element/reactive-element.js"}

ICONS = [
    "arrow-left-right",
    "bell",
    "bell-off",
    "check",
    "chevron-down",
    "chevron-left",
    "circle-alert",
    "circle-check",
    "coffee",
    "contact",
    "delete",
    "grip",
    "headphones",
    "history",
    "hourglass",
    "info",
    "keyboard",
    "languages",
    "log-in",
    "log-out",
    "merge",
    "messages-square",
    "mic",
    "mic-off",
    "monitor-smartphone",
    "notebook-pen",
    "pause",
    "phone",
    "phone-call",
    "phone-forwarded",
    "phone-incoming",
    "phone-missed",
    "phone-off",
    "play",
    "plus",
    "rotate-cw",
    "search",
    "smartphone",
    "star",
    "ticket",
    "triangle-alert",
    "user",
    "user-plus",
    "users",
    "voicemail",
    "volume-2",
    "wifi",
    "wifi-off",
    "x",
]

IMPORT = re.compile(r"""((?:\bfrom|\bimport)\s*\(?\s*)(["'])([^"'\n]+)\2""")


def unpack(name: str, into: Path) -> Path:
    """The unpacked package, checked against its pinned hash."""
    version, integrity = PACKAGES[name]
    packed = subprocess.run(
        ["npm", "pack", f"{name}@{version}", "--json", "--pack-destination", str(into)],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(packed.stdout)[0]
    if told["integrity"] != f"sha512-{integrity}":
        sys.exit(f"{name} {version} is not the package that was pinned: {told['integrity']}")
    (archive,) = into.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    archive.unlink()
    home = into / "unpacked" / name
    home.parent.mkdir(parents=True, exist_ok=True)
    (into / "package").rename(home)
    return home


def copy_licence(home: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for licence in home.glob("LICENSE*"):
        shutil.copyfile(licence, into / "LICENSE")


def without_source_map(text: str) -> str:
    return re.sub(r"\n?//# sourceMappingURL=.*\n?", "\n", text)


def take_kit(packages: Path) -> None:
    root = packages / "@awesome.me/webawesome" / "dist-cdn"
    seen: set[str] = set()
    todo = list(KIT)
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        text = (root / path).read_text()
        todo += [posixpath.normpath(posixpath.join(posixpath.dirname(path), m[3])) for m in IMPORT.finditer(text)]
        out = TARGET / "webawesome" / path
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(without_source_map(text))
    copy_licence(packages / "@awesome.me/webawesome", TARGET / "webawesome")


def take_lit(packages: Path) -> None:
    seen: set[str] = set()
    todo = list(LIT)
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        here = posixpath.dirname(path)

        def relative(found: re.Match[str], here: str = here) -> str:
            wanted = found[3]
            if wanted.startswith("."):
                full = posixpath.normpath(posixpath.join(here, wanted))
            else:
                full = MAIN.get(wanted, wanted)
            todo.append(full)
            step = posixpath.relpath(full, here)
            return f"{found[1]}{found[2]}{step if step.startswith('.') else './' + step}{found[2]}"

        out = TARGET / "lit" / path
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(without_source_map(IMPORT.sub(relative, (packages / path).read_text())))
    copy_licence(packages / "lit", TARGET / "lit")


def take_icons(packages: Path) -> None:
    """One sprite: <use href="…/icons.svg#phone">; the stroke is set by the page's style."""
    symbols = []
    for name in sorted(ICONS):
        svg = ElementTree.parse(packages / "lucide-static" / "icons" / f"{name}.svg").getroot()
        shapes = ""
        for shape in svg:
            tag = shape.tag.rpartition("}")[2]
            shapes += f"<{tag} " + " ".join(f'{key}="{value}"' for key, value in shape.attrib.items()) + "/>"
        stroke = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24" {stroke}>{shapes}</symbol>')
    out = TARGET / "lucide" / "icons.svg"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n")
    copy_licence(packages / "lucide-static", TARGET / "lucide")


def take_wavesurfer(packages: Path) -> None:
    home = packages / "wavesurfer.js"
    copy_licence(home, TARGET / "wavesurfer")
    module = (home / "dist" / "wavesurfer.esm.js").read_text()
    (TARGET / "wavesurfer" / "wavesurfer.js").write_text(without_source_map(module))


def take_uplot(packages: Path) -> None:
    home = packages / "uplot"
    copy_licence(home, TARGET / "uplot")
    module = (home / "dist" / "uPlot.esm.js").read_text()
    (TARGET / "uplot" / "uplot.js").write_text(without_source_map(module))
    shutil.copyfile(home / "dist" / "uPlot.min.css", TARGET / "uplot" / "uplot.css")


def take_numbers(packages: Path) -> None:
    """Its bundle puts what it has into `exports` where there is such a thing, which a module has not."""
    home = packages / "libphonenumber-js"
    (TARGET / "libphonenumber").mkdir(parents=True)
    for licence in ("LICENSE", "LICENSE.Apache"):  # of the library, and of Google's data
        shutil.copyfile(home / licence, TARGET / "libphonenumber" / licence)
    bundle = without_source_map((home / "bundle" / "libphonenumber-min.js").read_text()).strip()
    module = f"const exports = {{}};\nconst module = {{ exports }};\n{bundle}\n"
    module += "export const parsePhoneNumber = exports.parsePhoneNumberFromString;\n"
    (TARGET / "libphonenumber" / "libphonenumber.js").write_text(module)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        into = Path(directory)
        for name in PACKAGES:
            unpack(name, into)
        shutil.rmtree(TARGET, ignore_errors=True)
        packages = into / "unpacked"
        take_kit(packages)
        take_lit(packages)
        take_icons(packages)
        take_wavesurfer(packages)
        take_uplot(packages)
        take_numbers(packages)
    versions = {name: version for name, (version, _) in PACKAGES.items()}
    (TARGET / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
