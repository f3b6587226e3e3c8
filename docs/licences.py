"""Print docs/licences.md: what an installation of the node consists of, and under which licences.

The closure of setup.cfg's requirements and of the extras a site may use, as it is installed here; each licence from
the distribution's own metadata. Exit status 1 if one of them is under the GPL or AGPL.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SETUP = Path(__file__).parent.parent / "setup.cfg"
EXTRAS = ("postgres", "weights")
LONGEST = 60
"""Characters of a stated licence that are still its name, and not its text."""

OPENINGS = {
    "apache": "Apache-2.0",
    "mit license": "MIT",
    "redistribution and use in source and binary forms": "BSD",
}
"""How the text of a licence can be told, for distributions whose metadata says nothing."""

HEAD = """# Licences

The node itself is under [Apache 2.0](../LICENSE). This is what it installs: every requirement of `setup.cfg` with the
extras `postgres` and `weights`, and what those need, on Linux x86_64. Written by `make licences`; not legal advice.

- **No GPL codec.** pylibjpeg-libjpeg (GPL-3) is not among them, and must not be: see [decisions.md](decisions.md).
- **psycopg is LGPL-3.** Only the extra `postgres` brings it; it is used as it comes, as a library. SQLite needs none.
- **NVIDIA's libraries are proprietary.** torch brings them on Linux for GPUs; a CPU build of torch comes without them.
- Some wheels carry the GCC runtime library, which is GPL-3 with the exception that lets any program use it.

| distribution | version | licence | note |
|---|---|---|---|"""


def requirements() -> list[Requirement]:
    """What setup.cfg asks for, with the extras a site may use."""
    setup = ConfigParser(interpolation=None)
    setup.read(SETUP)
    texts = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in EXTRAS)]
    lines = (line.split("#")[0].strip() for text in texts for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def closure(roots: list[Requirement]) -> dict[str, Distribution]:
    """Every installed distribution that the roots lead to, by canonical name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    open_ones = list(roots)
    while open_ones:
        wanted = open_ones.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            found[name] = distribution(wanted.name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed; run `make install`")
        open_ones += _needed(found[name], wanted.extras)
    return dict(sorted(found.items()))


def _needed(of: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for line in of.requires or ():
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield wanted


def licence(of: Distribution) -> str:
    """Its name: the SPDX expression, else the classifier, else a short statement, else told from the licence file."""
    expression = _field(of, "License-Expression")
    if expression:
        return expression
    classifiers = [c.split(" :: ")[-1] for c in of.metadata.get_all("Classifier") or () if c.startswith("License ::")]
    stated = _field(of, "License")
    if stated and stated != "UNKNOWN" and "\n" not in stated and len(stated) <= LONGEST:
        return stated
    return ", ".join(classifiers) or _told_from_file(of) or "not stated"


def _told_from_file(of: Distribution) -> str:
    text = " ".join(_texts(of)).lower()
    return next((f"{name} (by its licence file)" for opening, name in OPENINGS.items() if opening in text), "")


def _texts(of: Distribution) -> Iterator[str]:
    """Its licence files, with single spaces, and the metadata's own field."""
    for file in of.files or ():
        path = Path(str(file.locate()))
        if re.match(r"(licen[cs]e|copying)", file.name, re.IGNORECASE) and path.is_file():
            yield " ".join(path.read_text("utf-8", "replace").split())
    yield " ".join(_field(of, "License").split())


def _field(of: Distribution, name: str) -> str:
    return of.metadata[name].strip() if name in of.metadata else ""


def note(of: Distribution, name: str) -> str:
    """What a reader of the table must know of a licence; empty for permissive ones."""
    if is_gpl(name):
        return "**GPL: may not be required**"
    if "LGPL" in name:
        return "weak copyleft; extra `postgres`"
    if "MPL" in name:
        return "weak copyleft, by file"
    if "proprietary" in name.lower():
        return "proprietary; comes with torch for GPUs"
    if any("gcc runtime library exception" in text.lower() for text in _texts(of)):
        return "carries the GCC runtime library"
    return ""


def is_gpl(name: str) -> bool:
    """The GPL or AGPL, and not the LGPL."""
    general = re.search(r"general public license", name, re.IGNORECASE)
    lesser = re.search(r"lesser|library", name, re.IGNORECASE)
    return bool(re.search(r"(?<!L)GPL", name)) or bool(general and not lesser)


def main() -> int:
    found = closure(requirements())
    print(HEAD)
    for name, one in found.items():
        stated = licence(one)
        print(f"| {name} | {one.version} | {stated.replace('|', '/')} | {note(one, stated)} |".replace("  |", " |"))
    return int(any(is_gpl(licence(one)) for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
