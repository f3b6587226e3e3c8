"""The conformance statement is that of the code: its tables are those that the code makes now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from pydicom.uid import UID

from dicom_node.report.profiles import PROFILES
from dicom_node.scp import is_storage

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text()
VIEWERS = (ROOT / "docs" / "viewers.md").read_text()
MODULE = runpy.run_path(str(ROOT / "docs" / "conformance_page.py"))
RULES = runpy.run_path(str(ROOT / "docs" / "viewers_page.py"))


def made_anew(page: str) -> str:
    return str(MODULE["with_tables"](page, MODULE["TABLES"]))


def test_the_tables_are_those_of_the_code() -> None:
    assert made_anew(PAGE) == PAGE, "write them again with `make conformance`"


def test_a_page_of_older_code_is_noticed() -> None:
    older = PAGE.replace("| 9905 |", "| 9906 |").replace("`gsps` (9905)", "`gsps` (9906)")
    assert older != PAGE == made_anew(older)


def test_a_table_without_a_place_is_noticed() -> None:
    with pytest.raises(ValueError, match="no place for services"):
        made_anew(PAGE.replace("<!-- services -->", ""))


def test_the_rules_of_the_viewers_are_those_that_are_held() -> None:
    assert MODULE["with_tables"](VIEWERS, RULES["TABLES"]) == VIEWERS, "write them again with `make conformance`"


def test_it_has_the_chapters_of_the_standard() -> None:
    headings = re.findall(r"^## (\d) (.+)$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in headings] == list(range(1, 9))
    for part in ("Implementation model", "Association policies", "Network interfaces", "Configuration"):
        assert re.search(rf"^#+ [\d.]+ {part}$", PAGE, re.MULTILINE), part


def test_every_profile_has_its_attributes_and_every_report_its_template() -> None:
    attributes, templates = (
        PAGE.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0] for name in ("attributes", "templates")
    )
    named = re.compile(r"#### Profile `([\w-]+)`")
    assert named.findall(attributes) == list(PROFILES)
    assert named.findall(templates) == [name for name, profile in PROFILES.items() if profile.kind == "SR"]


def test_what_is_received_is_what_the_receiver_accepts() -> None:
    listed = re.findall(r"\| `([\d.]+)` \|", PAGE.split("<!-- storage scp -->")[1])
    assert len(listed) > 150
    for uid in listed:
        assert is_storage(uid)
        assert "Commitment" not in UID(uid).name
