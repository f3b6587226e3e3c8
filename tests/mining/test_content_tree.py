"""The walk ends, finds every item with its path, and says where it stopped."""

import sys
import warnings
from io import BytesIO

import pytest
from builders import LENGTH, container, image, item, num, scoord, sr, text
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from mining.content_tree import TreeLimits, read_tree
from mining.elements import code_of


def chain(depth: int) -> Dataset:
    """A document whose containers stand one in the other."""
    inner = container(None, num(LENGTH, 1.0, "mm"))
    for _ in range(depth - 1):
        inner = container(None, inner)
    return sr(inner)


def test_paths_count_from_one_at_the_root_in_document_order() -> None:
    tree = read_tree(sr(text(LENGTH, "a"), container(None, text(LENGTH, "b"), num(LENGTH, 1.0, "mm"))))
    assert [item.path for item in tree.items] == ["1", "1.1", "1.2", "1.2.1", "1.2.2"]
    assert [item.value_type for item in tree.items] == ["CONTAINER", "TEXT", "CONTAINER", "TEXT", "NUM"]
    assert [item.position for item in tree.items] == [0, 1, 2, 3, 4]
    assert tree.items[4].relationship == "CONTAINS"
    assert [a.path for a in tree.items[4].ancestors()] == ["1.2", "1"]
    assert not tree.cuts


def test_nesting_beyond_the_recursion_limit_is_cut_with_a_reason() -> None:
    tree = read_tree(chain(sys.getrecursionlimit() + 200), TreeLimits(max_depth=100))
    assert len(tree.items) == 101
    assert [(cut.path.count("."), cut.reason_code) for cut in tree.cuts] == [(100, "nested_too_deep")]


def test_a_document_of_too_many_items_is_cut_with_a_reason() -> None:
    tree = read_tree(
        sr(*(container(None, *(num(LENGTH, 1.0, "mm") for _ in range(10))) for _ in range(10))),
        TreeLimits(max_items=40),
    )
    assert len(tree.items) <= 40
    assert {cut.reason_code for cut in tree.cuts} == {"too_many_items"}


def test_an_item_without_any_attribute_is_an_item() -> None:
    ds = sr()
    ds.ContentSequence = Sequence([Dataset()])
    tree = read_tree(ds)
    assert [(item.path, item.value_type, item.concept) for item in tree.items[1:]] == [("1.1", "", None)]


def test_a_drawing_without_a_value_type_is_known_by_what_it_holds() -> None:
    drawing = scoord("POLYLINE", [(1, 2), (3, 4)])
    del drawing.ValueType
    assert read_tree(sr(drawing)).items[1].value_type == "SCOORD"


def test_a_content_sequence_of_another_kind_is_cut_with_a_reason() -> None:
    ds = sr()
    del ds.ContentSequence
    ds.add_new(0x0040A730, "LO", "not a sequence")
    tree = read_tree(ds)
    assert [cut.reason_code for cut in tree.cuts] == ["bad_content_sequence"]


def test_a_reference_by_identifier_leads_to_its_item() -> None:
    pointing = item("", None, relationship="INFERRED FROM", ReferencedContentItemIdentifier=[1, 1])
    tree = read_tree(sr(scoord("POLYLINE", [(1, 2), (3, 4)], image("1.2.3")), num(LENGTH, 3.0, "mm", pointing)))
    assert tree.items[-1].target is tree.items[1]


def from_file(ds: Dataset) -> Dataset:
    """As it comes out of a file, its elements still bytes."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return dcmread(BytesIO(buffer.getvalue()))


@pytest.mark.parametrize(
    ("character_set", "meaning"),
    [("ISO_IR 100", "Größe"), ("ISO_IR 192", "直径"), ("", "Long axis"), (["", "ISO 2022 IR 87"], "長径")],
)
def test_concepts_read_from_bytes_are_what_pydicom_reads(character_set: str | list[str], meaning: str) -> None:
    ds = sr(num(("G-A185", "SRT", meaning), 1.0, "mm"))
    ds.SpecificCharacterSet = character_set
    (number,) = read_tree(from_file(ds)).root.children
    converted = from_file(ds)
    list(converted.iterall())
    assert number.concept == code_of(converted.ContentSequence[0], "ConceptNameCodeSequence")
    assert number.concept is not None and number.concept.meaning == meaning
    assert (number.value_type, number.relationship) == ("NUM", "CONTAINS")


@pytest.mark.parametrize("value", [b"A\\B ", b" A \0", b"", b"A\x1b$B"])
def test_odd_bytes_of_a_concept_are_read_as_pydicom_reads_them(value: bytes) -> None:
    def written() -> Dataset:
        ds = sr(num(LENGTH, 1.0, "mm"))
        tag = BaseTag(0x00080100)
        ds.ContentSequence[0].ConceptNameCodeSequence[0][tag] = RawDataElement(
            tag, "SH", len(value), value, 0, False, True
        )
        return ds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = written()
        list(converted.iterall())
        expected = code_of(converted.ContentSequence[0], "ConceptNameCodeSequence")
        assert read_tree(written()).root.children[0].concept == expected
