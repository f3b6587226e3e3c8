"""docs/harvest.md explains every reason code that the harvest can give; no reason quotes what somebody wrote."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialect import Dialect
from dialects import DIALECTS
from pydicom.dataset import Dataset

import mining
from db.measurement import Rejected
from mining.known_images import NO_IMAGES
from mining.readers.by_class import reader_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "harvest.md"

PLACES = {"Unusable": 0, "Cut": 1, "Rejected": 2}
"""Which argument of each is the code."""

OF_A_VIEW = {"superseded"}
"""Given where `rejections` are read, not by a reader."""


def codes_of(tree: ast.Module) -> Iterator[str]:
    """The codes written down in a source file; what a variable holds is every text that is assigned to it."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        place = PLACES.get(getattr(call.func, "id", ""))
        if place is None or len(call.args) <= place:
            continue
        code = call.args[place]
        values = [code]
        if isinstance(code, ast.Name):
            values = [a.value for a in assigned if ast.dump(a.targets[0]) == ast.dump(ast.Name(code.id, ast.Store()))]
        for value in values:
            branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            yield from (b.value for b in branches if isinstance(b, ast.Constant) and isinstance(b.value, str))


def rows() -> list[tuple[str, ...]]:
    section = DOCUMENT.read_text().split("## Reasons\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", section, re.MULTILINE)


def test_every_reason_code_is_explained() -> None:
    (folder,) = mining.__path__
    given = {code for path in Path(folder).rglob("*.py") for code in codes_of(ast.parse(path.read_text()))}
    assert len(given) > 60
    assert {row[0] for row in rows()} == given | OF_A_VIEW


def test_the_reasons_stand_in_order_each_once() -> None:
    codes = [row[0] for row in rows()]
    assert codes == sorted(set(codes))


SOMEBODY = "NOBODY KNOWN"
WRITTEN = ("LO", "SH", "LT", "ST", "UT", "PN", "UC", "CS")
NEEDED = ("Modality", "ValueType", "RelationshipType", "SegmentationType", "ContourGeometricType")
"""Without which a reader would look at nothing else."""


def name_somebody_everywhere(ds: Dataset) -> None:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                name_somebody_everywhere(item)
        elif element.VR in WRITTEN and element.keyword not in NEEDED:
            element.value = SOMEBODY


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_no_reason_quotes_a_text_of_the_object(dialect: Dialect) -> None:
    for ds in dialect.objects():
        reader = reader_for(str(ds.SOPClassUID))
        if reader is None:
            continue
        name_somebody_everywhere(ds)
        for found in reader.read(ds, NO_IMAGES):
            if isinstance(found, Rejected):
                assert SOMEBODY.casefold() not in f"{found.reason} {found.source_item}".casefold()
