"""What is read from bytes at once is what pydicom's elements, made of the same bytes, say."""

import warnings
from io import BytesIO
from struct import pack

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from db.codes import Code
from mining.elements import MAX_TEXT, code_of, text_of
from mining.plain_bytes import MAX_BYTES, plain_code, plain_text

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
        (code_sequence(VALUE + SCHEME + MEANING + code_sequence(VALUE)), None),
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
