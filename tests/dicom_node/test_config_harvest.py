"""Section [harvest] of node.toml: what it becomes for the harvest, and what is refused with what is allowed."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from test_config import refusal, written

from dicom_node.config import Config, load_config
from dicom_node.config_harvest import Harvest
from dicom_node.config_template import template
from mining.noise import NoiseLimits
from mining.readers.by_class import readers_of
from mining.settings import DEFAULT_SETTINGS, MEANINGS, BookmarkColumns, HarvestSettings, PrivateTable

CLASS = "1.2.826.0.1.3680043.10.99.1"
FULL = f"""
[harvest]
max_long_axis_mm = 300
read_pixels = false
let_in = ["localizer"]
exclude = ["*phantom*", "QA-*"]
algorithms = ["Nodule Finder"]

[harvest.bookmarks]
origin = "one"
delimiter = ";"
decimal_comma = true
[harvest.bookmarks.columns]
"File UID" = "image"
"X 1" = "x1"

[harvest.verdicts]
"99SITE:Q7" = "rejected"

[[harvest.private]]
sop_class = "{CLASS}"
origin = "zero"
[harvest.private.tags]
"(0041,xx10) VENDOR" = "item"
"(0041,xx10) VENDOR/(0041,xx22)" = "long_axis:FD"

[[harvest.private]]
sop_class = "1.2.840.10008.5.1.4.1.1.11.1"
[harvest.private.tags]
"(0029,1010)" = "points"
"""


def test_without_the_section_everything_is_as_the_harvest_has_it() -> None:
    assert Config().harvest.settings() == DEFAULT_SETTINGS


def test_the_section_becomes_the_settings_of_the_harvest(tmp_path: Path) -> None:
    settings = load_config(written(tmp_path, FULL), {}).harvest.settings()
    assert settings == HarvestSettings(
        noise=NoiseLimits(max_long_axis_mm=300.0, read_pixels=False),
        private=(
            PrivateTable(
                CLASS,
                {"(0041,xx10) VENDOR": "item", "(0041,xx10) VENDOR/(0041,xx22)": "long_axis:FD"},
                "zero",
            ),
            PrivateTable("1.2.840.10008.5.1.4.1.1.11.1", {"(0029,1010)": "points"}),
        ),
        bookmarks=BookmarkColumns({"File UID": "image", "X 1": "x1"}, "one", ";", True),
        let_in=frozenset({"localizer"}),
        exclude=("*phantom*", "QA-*"),
        algorithms=("Nodule Finder",),
        verdicts={"99SITE:Q7": "rejected"},
    )
    readers = readers_of(settings)
    assert readers[CLASS].kind == "private"
    assert readers["1.2.840.10008.5.1.4.1.1.11.1"].kind == "GSPS"


def test_each_limit_of_doubt_is_a_key_with_its_default_and_its_reason() -> None:
    for field in fields(NoiseLimits):
        key = Harvest.model_fields[field.name]
        assert key.default == field.default
        assert key.description
    assert "342.5 mm" in str(Harvest.model_fields["max_long_axis_mm"].description)


def test_the_tables_that_init_shows_are_right_once_the_marks_are_taken_away(tmp_path: Path) -> None:
    text = template("t")
    shown = text[text.index("# [harvest.bookmarks]") : text.index("# One block for each PACS")]
    tables = "\n".join(line.removeprefix("# ") for line in shown.splitlines() if re.match(r'# (\[|"|\w+ = )', line))
    settings = load_config(written(tmp_path, tables), {}).harvest.settings()
    assert settings.bookmarks is not None and len(settings.private) == 1
    assert set(settings.verdicts.values()) == {"rejected"}


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ("[harvest]\nmax_long_axis_cm = 4", "harvest.max_long_axis_cm is an unknown key", "max_long_axis_mm"),
        ('[harvest]\nslip_px = "1"', "harvest.slip_px", "number"),
        ("[harvest]\nread_pixels = 1", "harvest.read_pixels", "boolean"),
        ("[harvest]\nmin_long_axis_mm = 500", "harvest: min_long_axis_mm", "at most max_long_axis_mm"),
        ("[harvest]\nmin_mean_hu = nan", "harvest.min_mean_hu", "finite number"),
        ('[harvest]\nlet_in = ["scout"]', 'harvest.let_in.1 = "scout"', "localizer"),
        ('[harvest]\nexclude = [""]', "harvest.exclude.1", "stand for everything"),
        ('[harvest]\nalgorithms = [" "]', "harvest.algorithms.1", "stand for everything"),
        ('[harvest.verdicts]\nA1 = "yes"', "harvest.verdicts", "accepted, modified, rejected, added"),
        ('[harvest.verdicts]\n" " = "added"', "harvest.verdicts", "stand for everything"),
        ('[harvest.bookmarks]\norigin = "two"', 'harvest.bookmarks.origin = "two"', "scoord, zero, one"),
        ('[harvest.bookmarks]\ndelimiter = ";;"', "harvest.bookmarks.delimiter", "one character"),
        ('[harvest.bookmarks.columns]\nA = "where"', "harvest.bookmarks.columns", ", ".join(MEANINGS)),
        ('[harvest.bookmarks.columns]\nA = "points"', "harvest.bookmarks.columns", '"series" and "instance_number"'),
        ('[harvest.bookmarks.columns]\nA = "image"\nB = "image"', "harvest.bookmarks.columns", "two of them mean"),
        ('[harvest.bookmarks.columns]\nA = "points:FD"', "harvest.bookmarks.columns", "there are: item"),
        ('[harvest.bookmarks]\ncolumn = "x"', "harvest.bookmarks.column is an unknown key", "columns"),
        (f'[[harvest.private]]\nsop_class = "{CLASS}"', "harvest.private.1.tags", "required"),
        (
            f'[[harvest.private]]\nsop_class = "{CLASS}"\ntags = {{"0029,1010" = "points"}}',
            "harvest.private.1.tags",
            "(gggg,xxee) PRIVATE CREATOR",
        ),
        (
            f'[[harvest.private]]\nsop_class = "{CLASS}"\ntags = {{"(0029,1010)" = "line"}}',
            "harvest.private.1.tags",
            "there are: item",
        ),
        (
            f'[[harvest.private]]\nsop_class = "{CLASS}"\ntags = {{"(0029,1010)" = "points:OB"}}',
            "harvest.private.1.tags",
            "FD, FL",
        ),
        (
            f'[[harvest.private]]\nsop_class = "{CLASS}"\ntags = {{"(0029,1010)" = "reader"}}',
            "harvest.private.1.tags",
            "no tag means a drawing",
        ),
        (
            '[[harvest.private]]\nsop_class = "CT"\ntags = {"(0029,1010)" = "points"}',
            "harvest.private.1.sop_class",
            "digits and dots",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, text: str, key: str, allowed: str) -> None:
    message = refusal(tmp_path, text)
    assert key in message
    assert allowed in message
    assert len(message.splitlines()) == 1


def test_the_environment_overrides_scalars_only(tmp_path: Path) -> None:
    environment = {
        "DICOM_NODE_HARVEST__SLIP_PX": "2.5",
        "DICOM_NODE_HARVEST__READ_PIXELS": "false",
        "DICOM_NODE_HARVEST__BOOKMARKS__ORIGIN": "zero",
    }
    settings = load_config(written(tmp_path, FULL), environment).harvest.settings()
    assert (settings.noise.slip_px, settings.noise.read_pixels) == (2.5, False)
    assert settings.bookmarks is not None and settings.bookmarks.origin == "zero"
    assert "harvest.let_in" in refusal(tmp_path, "", {"DICOM_NODE_HARVEST__LET_IN": "localizer"})
    assert "unknown key" in refusal(tmp_path, "", {"DICOM_NODE_HARVEST__SLIP": "2.5"})


OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_every_meaning_is_explained_and_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    section = OPERATIONS[OPERATIONS.index("## What follows no standard") : OPERATIONS.index("## Logs")]
    for meaning in MEANINGS:
        if not re.fullmatch("[xy][23]|y4|x4", meaning):
            assert f"`{meaning}`" in section
    examples = "\n".join(line.strip() for line in section.splitlines() if line.startswith("    "))
    settings = load_config(written(tmp_path, examples), {}).harvest.settings()
    assert settings.bookmarks is not None and len(settings.private) == 1
