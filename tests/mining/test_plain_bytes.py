"""What is read from bytes at once is what pydicom's elements, made of the same bytes, say."""

import warnings
from collections.abc import Callable
from io import BytesIO
from struct import pack

import pytest
from builders import FINDING as FINDING_CONCEPT
from builders import GROUP, LENGTH, TRACKING_ID, code, container, image, num, person, scoord, sr, text
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from db.codes import Code
from mining.elements import MAX_TEXT, code_of, items_of, text_of
from mining.plain_bytes import MAX_BYTES, plain_code, plain_text
from mining.plain_elements import plain_items

TEXTS = {
    "CS": "ValueType",
    "SH": "CodeValue",
    "LO": "CodeMeaning",
    "UC": "LongCodeValue",
    "UI": "UID",
    "ST": "InstitutionAddress",
    "LT": "PatientComments",
    "UT": "TextValue",
}
CONTENTS = (
    b"", b"  ", b"plain", b" spaces around  ", b"end\0", b"\0start", b"first\\second", b"\\second", b"tab\tand\nline",
    b"1.2.840.1\0", b"L\xe4sion", "Läsion".encode(), b"first\\L\xe4sion", b"\x1b$B8!::\x1b(B", b"\xff\xfe",
    b"x" * MAX_BYTES, b"x" * (MAX_BYTES + 1), b"x" * (2 * MAX_TEXT),
)  # fmt: skip
LONG_LENGTH = ("UC", "UT", "SQ")


def element(keyword: str, vr: str, content: bytes) -> bytes:
    """In explicit VR, little endian."""
    tag = Dataset()
    setattr(tag, keyword, None)
    (number,) = tag.keys()
    length = pack("<HL", 0, len(content)) if vr in LONG_LENGTH else pack("<H", len(content))
    return pack("<HH", number.group, number.element) + vr.encode() + length + content


def code_sequence(*items: bytes) -> bytes:
    return element("ConceptNameCodeSequence", "SQ", b"".join(item(content) for content in items))


def item(content: bytes) -> bytes:
    return pack("<HHL", 0xFFFE, 0xE000, len(content)) + content


def read(content: bytes) -> Dataset:
    """A data set as it comes out of a file, its elements still bytes."""
    return dcmread(BytesIO(content), force=True)


def converted(content: bytes) -> Dataset:
    ds = read(content)
    list(ds.iterall())
    return ds


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("vr", TEXTS)
def test_a_text_is_the_one_that_its_element_would_say(vr: str, content: bytes) -> None:
    written = element(TEXTS[vr], vr, content)
    assert text_of(read(written), TEXTS[vr]) == text_of(converted(written), TEXTS[vr])


@pytest.mark.parametrize("vr", TEXTS)
def test_plain_texts_need_no_element_and_others_do(vr: str) -> None:
    for content, said in ((b" A 1 ", "A 1"), ("Ä".encode("latin-1"), None), (b"\x1b(B", None)):
        raw = read(element(TEXTS[vr], vr, content)).get_item(TEXTS[vr])
        assert raw is not None and plain_text(raw) == said


VALUE, SCHEME, MEANING = (
    element("CodeValue", "SH", b"121071"),
    element("CodingSchemeDesignator", "SH", b"DCM "),
    element("CodeMeaning", "LO", b"Finding "),
)
FINDING = Code("121071", "DCM", "Finding")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (code_sequence(VALUE + SCHEME + MEANING), FINDING),
        (code_sequence(VALUE + MEANING), Code("121071", "", "Finding")),
        (code_sequence(VALUE + element("CodeMeaning", "LO", b"Other") + SCHEME + MEANING), FINDING),
        (code_sequence(VALUE + SCHEME + MEANING + element("MappingResource", "CS", b"DCMR")), FINDING),
        (code_sequence(VALUE + SCHEME), None),
        (code_sequence(MEANING), None),
        (code_sequence(), None),
        (code_sequence(b""), None),
        (code_sequence(VALUE + SCHEME + MEANING, VALUE + MEANING), None),
        (code_sequence(VALUE + SCHEME + element("CodeMeaning", "LO", "Läsion".encode("latin-1"))), None),
        (code_sequence(element("SpecificCharacterSet", "CS", b"ISO_IR 192") + VALUE + SCHEME + MEANING), None),
        (code_sequence(element("LongCodeValue", "UC", b"121071") + SCHEME + MEANING), None),
        (code_sequence(VALUE + SCHEME + MEANING + code_sequence(VALUE)), FINDING),
        (code_sequence(VALUE + SCHEME + element("CodeMeaning", "UT", b"Finding")), None),
        (element("ConceptNameCodeSequence", "LO", b"no code"), None),
    ],
)
def test_a_code_is_the_one_that_its_items_would_say(content: bytes, said: Code | None) -> None:
    raw = read(content).get_item("ConceptNameCodeSequence")
    assert raw is not None and plain_code(raw) == said
    assert code_of(read(content), "ConceptNameCodeSequence") == code_of(converted(content), "ConceptNameCodeSequence")
    assert said is None or code_of(converted(content), "ConceptNameCodeSequence") == said


def test_a_code_cut_anywhere_raises_nothing() -> None:
    whole = code_sequence(VALUE + SCHEME + MEANING)
    inside = whole[12:]
    for end in range(len(inside)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = read(element("ConceptNameCodeSequence", "SQ", inside[:end]))
            raw = ds.get_item("ConceptNameCodeSequence")
            assert raw is not None and plain_code(raw) is None
            code_of(ds, "ConceptNameCodeSequence")


# --- sequences ----------------------------------------------------------------------------------------------------


def report(character_set: str, finding: str) -> Dataset:
    line = scoord("POLYLINE", [(1, 2), (3.5, 4.25)], image("1.2.3", [2]))
    said = code(FINDING_CONCEPT, ("x", "99X", finding))
    ds = sr(person("Läser^Erika"), container(GROUP, text(TRACKING_ID, "one"), said, num(LENGTH, 23.4, "mm", line)))
    ds.SpecificCharacterSet = character_set
    return ds


def undefined_lengths(ds: Dataset) -> None:
    for inner in ds.ContentSequence:
        inner.is_undefined_length_sequence_item = True
    ds["ContentSequence"].is_undefined_length = True


def another_character_set_inside(ds: Dataset) -> None:
    ds.ContentSequence[1].SpecificCharacterSet = "ISO_IR 192"


def implicit(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def big_endian(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def opened(ds: Dataset) -> int:
    """Opens all sequences as the readers do; returns how many items there were."""
    found = 0
    for each in list(ds.keys()):
        keyword = keyword_for_tag(each)
        items = items_of(ds, keyword) if keyword and ds.get_item(each).VR in ("SQ", None) else ()
        found += len(items) + sum(opened(inner) for inner in items)
    return found


@pytest.mark.parametrize(
    "change",
    [lambda ds: None, undefined_lengths, another_character_set_inside, implicit, big_endian],
)
@pytest.mark.parametrize(("character_set", "finding"), [("ISO_IR 100", "Größe"), ("ISO_IR 192", "直径")])
def test_sequences_hold_what_pydicom_reads_in_them(
    character_set: str, finding: str, change: Callable[[Dataset], object]
) -> None:
    ds = report(character_set, finding)
    change(ds)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    by_us, expected = dcmread(BytesIO(buffer.getvalue())), dcmread(BytesIO(buffer.getvalue()))
    assert opened(by_us) > 15
    assert by_us == expected
    assert finding in str(by_us) and "Läser^Erika" in str(by_us)


def test_plain_items_are_all_or_none() -> None:
    one = item(VALUE)
    assert plain_items(b"") == [] and plain_items(one + item(b"")) == [{0x00080100: ("SH", b"121071")}, {}]
    assert plain_items(one + one[:-1]) is None and plain_items(one + b"\0") is None
    assert plain_items(pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + VALUE) is None
    assert plain_items(item(VALUE + b"\0")) is None
    assert plain_items(item(pack("<HH", 8, 0x100) + b"??" + pack("<H", 0))) is None
