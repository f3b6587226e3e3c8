"""The text of a new node.toml. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dicom_node.config import Config, Peer
from dicom_node.config_harvest import Bookmarks, Private
from dicom_node.config_report import WordCodes
from dicom_node.config_section import Section, toml_of

TABLES = ("bookmarks", "private", "verdicts", "codes")
"""Keys that are tables of their own, behind the values of their section."""

EXAMPLE_COLUMNS = {
    "SOPInstanceUID": "image", "Line": "points", "Label": "finding", "Radiologist": "reader", "Bookmark": "item",
}  # fmt: skip
EXAMPLE_TAGS = {
    "(0041,xx10) VENDOR NAME": "item",
    "(0041,xx10) VENDOR NAME/(0041,xx22)": "long_axis:FD",
    "(0041,xx10) VENDOR NAME/(0008,1155)": "image",
}
EXAMPLE_VERDICTS = {"99SITE:Q7": "rejected", "nicht zutreffend": "rejected"}
EXAMPLE_WORD = {"word": "pulmonary nodule", "finding": "27925004|SCT|Nodule", "site": "39607008|SCT|Lung"}
EXAMPLE_CLASS = "1.2.840.10008.5.1.4.1.1.11.1"


def template(token: str) -> str:
    """The text of a new node.toml: every key with its meaning, commented out where it has a default."""
    lines = ["# node.toml of the lesion node. What stands behind a # is the default.", ""]
    sections = []
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            keys = _keys(field.annotation, {"token": token} if name == "web" else {})
            sections += [f"[{name}]", *keys, ""] if keys else []
        elif name != "peers":
            lines += _keys(Config, {}, only=name)
    peers = ["# One block for each PACS, modality or workstation:", "# [[peers]]"]
    peers += _commented(_keys(Peer, {"name": "PACS", "ae_title": "PACS"}))
    return "\n".join([*lines, "", *sections, *_harvest_tables(), *_report_tables(), "", *peers, ""])


def _harvest_tables() -> list[str]:
    """The tables of `[harvest]`, with an example that stands for the names of a site."""
    lines = ["# A CSV file of bookmarks (docs/operations.md has all meanings):", "# [harvest.bookmarks]"]
    lines += _commented(_keys(Bookmarks, {}, without=("columns",)))
    lines += ["# [harvest.bookmarks.columns]", *_examples(EXAMPLE_COLUMNS)]
    lines += ["# Private elements, one block for each SOP class:", "# [[harvest.private]]"]
    lines += _commented(_keys(Private, {"sop_class": EXAMPLE_CLASS}, without=("tags",)))
    lines += ["# [harvest.private.tags]", *_examples(EXAMPLE_TAGS)]
    lines.append("# What viewers here write for accepted, modified, rejected or added (docs/answers.md):")
    return [*lines, "# [harvest.verdicts]", *_examples(EXAMPLE_VERDICTS)]


def _report_tables() -> list[str]:
    lines = ["# Codes for a word in the names of categories, one block each, over the built-in ones:"]
    return [*lines, "# [[report.codes]]", *_commented(_keys(WordCodes, EXAMPLE_WORD))]


def _examples(names: Mapping[str, str]) -> list[str]:
    return [f"# {toml_of(name)} = {toml_of(meaning)}" for name, meaning in names.items()]


def _commented(lines: Iterable[str]) -> list[str]:
    return [f"# {line.removeprefix('# ')}" for line in lines]


def _keys(model: type[Section], given: Mapping[str, str], only: str = "", without: Sequence[str] = TABLES) -> list[str]:
    lines = []
    for key, field in model.model_fields.items():
        if (only and key != only) or key in without:
            continue
        default = field.default
        lines.append(f"# {field.description}")
        if key in given:
            lines.append(f"{key} = {toml_of(given[key])}")
        else:
            lines.append(f"# {key} = {'(not set)' if default is None else toml_of(default)}")
    return lines
