"""Private elements are found by their creator's block, wherever it is, and read as the site's table says."""

import struct
import time
import warnings

import pytest
from builders import annotation, ct_instance, ct_series, graphic, gsps
from builders_foreign import FIRST, PRIVATE_CLASS, SECOND, VENDOR, flat, private_object
from dialects_foreign import IN_ITEMS
from held_images import HeldImages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag

from db.geometry import Axis, PointPx
from db.measurement import Found, ImageReference, Measurement, Rejected, WeakLabel
from mining.private_paths import path_from, written
from mining.readers.by_class import KINDS, reader_for, readers_of
from mining.readers.private import MAX_MARKS, private_reader
from mining.settings import HarvestSettings, PrivateTable

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))
SQ = f"(0041,xx10) {VENDOR}"


def read(ds: Dataset, table: PrivateTable = IN_ITEMS) -> list[Found]:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as where a file is read
        found = list(private_reader(table)(ds, HeldImages(ct_series())))
    assert time.process_time() - start < 2
    return found


def codes(found: list[Found]) -> list[str]:
    return [one.reason_code for one in found if isinstance(one, Rejected)]


def mark() -> dict[int, object]:
    return {0x20: flat(LONG, shift=0.5), 0x21: flat(SHORT, shift=0.5), 0x22: "One", 0x00081155: FIRST}


@pytest.mark.parametrize("block", [0x10, 0x42, 0xFE])
def test_the_block_of_a_creator_may_be_any(block: int) -> None:
    (one,) = read(private_object([mark()], block=block))
    assert isinstance(one, Measurement)
    assert one.long_axis == Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))
    assert (one.image, one.reader, one.source.kind) == (ImageReference(FIRST), "One", "private")
    assert one.source.item == f"(0041,xx10) {VENDOR}[1]"


def test_the_elements_of_another_creator_are_not_read() -> None:
    ds = private_object([mark()])
    ds[0x00410010].value = "MARKS OF ANOTHER"
    assert codes(read(ds)) == ["no_measurement"]


@pytest.mark.parametrize(("origin", "shift"), [("scoord", 0.5), ("zero", 0.0), ("one", 1.0)])
def test_the_origin_is_the_one_that_the_site_names(origin: str, shift: float) -> None:
    table = PrivateTable(PRIVATE_CLASS, IN_ITEMS.tags, origin)
    (one,) = read(private_object([{0x20: flat(LONG, shift=shift), 0x00081155: FIRST}]), table)
    assert isinstance(one, Measurement) and one.long_axis == Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))


def test_a_value_outside_the_marks_is_that_of_the_object() -> None:
    ds = private_object([{0x20: flat(LONG, shift=0.5)}, {0x20: flat(SHORT, shift=0.5)}])
    ds.ReferencedImageSequence = Items([Dataset()])
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = SECOND
    table = PrivateTable(
        PRIVATE_CLASS, {SQ: "item", f"{SQ}/(0041,xx20)": "long_axis", "(0008,1140)/(0008,1155)": "image"}
    )
    (one,) = read(ds, table)
    assert isinstance(one, Measurement) and one.image == ImageReference(SECOND)
    assert one.short_axis is not None, "two lines that cross are one lesion"


def test_marks_in_items_of_items_have_the_image_of_the_item_around_them() -> None:
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3"
    ds.add_new((0x0041, 0x0010), "LO", VENDOR)
    slices = []
    for uid in (FIRST, SECOND):
        holder = private_object([{0x20: flat(LONG, shift=0.5)}], block=0x30, base=Dataset())
        holder.add_new((0x0041, 0x0010), "LO", "SOMEBODY ELSE")
        holder.ReferencedSOPInstanceUID = uid
        slices.append(holder)
    ds.add_new((0x0041, 0x1001), "SQ", Items(slices))
    outer = f"(0041,xx01) {VENDOR}"
    table = PrivateTable(
        PRIVATE_CLASS,
        {f"{outer}/(0041,xx10)": "item", f"{outer}/(0041,xx10)/(0041,xx20)": "points", f"{outer}/(0008,1155)": "image"},
    )
    found = read(ds, table)
    assert [one.image.sop_instance_uid for one in found if isinstance(one, Measurement)] == [FIRST, SECOND]
    assert [one.source.item[-6:] for one in found if isinstance(one, Measurement)] == ["[1][1]", "[2][1]"]


def unknown(value: bytes) -> Dataset:
    """An image with one private element as it comes in implicit VR."""
    ds = ct_instance()
    ds.add_new((0x0029, 0x0010), "UN", b"LINES ")
    ds.add_new((0x0029, 0x1001), "UN", value)
    return ds


def on_image(meaning: str) -> PrivateTable:
    return PrivateTable("1.2.840.10008.5.1.4.1.1.2", {"(0029,xx01) LINES": meaning}, "zero")


def test_bytes_of_unknown_vr_are_text_or_what_the_site_says() -> None:
    text = unknown(b"20\\10\\32\\26 ")
    doubles = unknown(struct.pack("<4d", *flat(LONG)))
    for ds, meaning in ((text, "points"), (doubles, "points:FD")):
        (one,) = read(ds, on_image(meaning))
        assert isinstance(one, Measurement) and one.long_axis == Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))
    assert codes(read(doubles, on_image("points"))) == ["unknown_vr"]
    assert codes(read(unknown(b"\1\2\3"), on_image("points:FD"))) == ["bad_coordinates"]
    assert codes(read(unknown(b"\xff" * 16), on_image("points:FD"))) == ["bad_coordinates"]


def test_an_image_alone_marks_the_whole_image() -> None:
    (one,) = read(private_object([{0x00081155: SECOND}]))
    assert isinstance(one, WeakLabel) and one.point is None and one.image == ImageReference(SECOND)


def test_a_table_goes_beside_the_reader_that_the_class_has() -> None:
    state = gsps(annotation([graphic("POLYLINE", SHORT)], images=[FIRST]), images=[FIRST])
    private_object([mark()], base=state)
    table = PrivateTable(str(state.SOPClassUID), IN_ITEMS.tags)
    reader = reader_for(table.sop_class_uid, readers_of(HarvestSettings(private=(table, IN_ITEMS))))
    assert reader is not None and reader.kind == "GSPS"
    found = list(reader.read(state, HeldImages(ct_series())))
    assert [one.source.kind for one in found if isinstance(one, Measurement)] == ["GSPS", "private"]
    assert {"private", "csv", "AIM"} <= KINDS


def test_very_many_marks_are_not_read_on() -> None:
    found = read(private_object([{0x00081155: SECOND}] * (MAX_MARKS + 1)))
    assert len(found) == MAX_MARKS + 1
    assert codes(found) == ["too_many_drawings"]


@pytest.mark.parametrize(
    "text",
    ["", "0029,1010", "(0029,xx10)", "(0028,xx10) V", "(0029,x110) V", "(0029,1010)/", "/".join(["(0029,1010)"] * 9)],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|block|odd|steps"):
        path_from(text)


def test_a_path_is_written_as_it_was_read() -> None:
    text = "(0041,xx10) VENDOR/1.0/(0041,xx22) VENDOR/1.0/(0008,1155)"
    assert written(path_from(text)) == text
    assert path_from("(0041,XX10) V / (0041,xx22)") == path_from("(0041,xx10) V/(0041,xx22) V")


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=64), st.sampled_from(["UN", "OB", "LO", "DS", "FD", "SQ", "UI"]), st.integers(0, 3))
def test_no_value_makes_the_reader_raise_or_hang(value: bytes, vr: str, where: int) -> None:
    ds = private_object([mark()])
    item = ds[0x00411010].value[0]
    holder, tag = ((ds, 0x00411010), (ds, 0x00410010), (item, 0x00411120), (item, 0x00081155))[where]
    holder._dict[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)
    assert read(ds)
