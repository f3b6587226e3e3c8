"""Harvested again, by a newer reader too, a lesion keeps its id and all that people added to it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders import COMPREHENSIVE_SR, ct_series
from harvest_node import NOW, Node, report
from pydicom.dataset import Dataset

from db.measurement import Found, Measurement
from db.models import Category, CategoryMember, LabelGeneration
from mining.known_images import KnownImages
from mining.readers.by_class import READERS, SourceReader
from mining.readers.sr import read_sr


def newer_reader(ds: Dataset, images: KnownImages) -> Iterator[Found]:
    """As after an upgrade: another place for the same drawing, and one row that was not found before."""
    for one in read_sr(ds, images):
        if isinstance(one, Measurement):
            yield replace(one, source=replace(one.source, item=f"{one.source.item}.1"), comment="read better")
            yield replace(one, short_axis=None)
        else:
            yield one


def test_a_newer_reader_keeps_the_id_and_the_category_of_a_lesion(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.receive(*ct_series(), report("1.5.1"))
    node.harvest()
    (before,) = (row.lesion_id for row in node.rows())
    node.session.add(Category(category_id=7, name="Named by a person", named_by_person=True))
    node.session.add(
        LabelGeneration(label_generation=1, created_at=NOW, extractor="x", settings={}, lesions=1, figures={})
    )
    node.session.flush()
    node.session.add(CategoryMember(label_generation=1, lesion_id=before, category_id=7, distance=0.0))
    node.session.flush()
    monkeypatch.setitem(READERS, COMPREHENSIVE_SR, SourceReader("SR", newer_reader))
    node.harvest()
    rows = {row.lesion_id: row for row in node.rows()}
    assert len(rows) == 2
    assert (rows[before].comment, rows[before].category) == ("read better", "Named by a person")
    node.harvest()
    assert {row.lesion_id for row in node.rows()} == rows.keys()


def test_what_a_newer_reader_finds_no_more_goes(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.receive(*ct_series(), report("1.5.1"))
    node.harvest()
    monkeypatch.setitem(READERS, COMPREHENSIVE_SR, SourceReader("SR", lambda ds, images: iter(())))
    node.harvest()
    assert node.rows() == []
