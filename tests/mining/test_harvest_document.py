"""docs/harvest.md says what comes out. WRITE_DOCS=1 writes its tables anew."""

import os
import shutil

import pytest
from dialects import DIALECTS
from harvest_document import (
    DIALECT_HEAD,
    DOCUMENT,
    SHARED,
    WRITER_HEAD,
    dialect_line,
    documents_of_others,
    section,
    table,
    with_section,
    writer_line,
)
from harvest_node import Node

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


def hold(name: str, content: str) -> None:
    text = DOCUMENT.read_text()
    if os.environ.get("WRITE_DOCS"):
        DOCUMENT.write_text(with_section(name, text, content))
    assert section(name, DOCUMENT.read_text()) == content, "WRITE_DOCS=1 pytest tests/mining/test_harvest_document.py"


def test_the_table_of_dialects_is_what_comes_out(node: Node) -> None:
    assert len(DIALECTS) >= 25
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    order = ["SR", "CAD SR", "GSPS", "KO", "SEG", "RTSTRUCT", "AIM", "private", "csv"]
    ordered = sorted(DIALECTS, key=lambda dialect: order.index(dialect.kind))
    hold("dialects", table(DIALECT_HEAD, [dialect_line(node, dialect) for dialect in ordered]))


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dcmtk is not here")
def test_the_table_of_other_writers_is_what_comes_out(node: Node) -> None:
    paths = documents_of_others()
    assert len(paths) >= 25
    hold("writers", table(WRITER_HEAD, [writer_line(node, path) for path in paths]))
