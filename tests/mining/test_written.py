from datetime import UTC, datetime

import pytest

from db.codes import Code
from mining.written import MAX_NUMBERS, code_in_text, length_mm_in, moment_in, number_in, numbers_in


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.5", 12.5), ("12,5", 12.5), (" -3 ", -3.0), ("1.234,5", None), ("1,2,3", None), ("", None), ("nan", None)],
)
def test_a_number_has_a_point_or_a_comma(text: str, number: float | None) -> None:
    assert number_in(text) == number
    assert number_in("1e400") is None
    assert number_in("9" * 400) is None


@pytest.mark.parametrize(
    ("text", "decimal_comma", "numbers"),
    [
        ("1 2; 3 4", False, (1.0, 2.0, 3.0, 4.0)),
        ("1,2;3,4", False, (1.0, 2.0, 3.0, 4.0)),
        ("1,2;3,4", True, (1.2, 3.4)),
        ("[(1.5, 2), (3, 4)]", False, (1.5, 2.0, 3.0, 4.0)),
        ("1.5\\2.5\\3\\4", True, (1.5, 2.5, 3.0, 4.0)),
        ("", False, ()),
        ("1 two", False, None),
        ("1 inf", False, None),
    ],
)
def test_a_list_has_anything_between_its_numbers(
    text: str, decimal_comma: bool, numbers: tuple[float, ...] | None
) -> None:
    assert numbers_in(text, decimal_comma) == numbers


def test_a_list_without_end_is_no_list() -> None:
    assert numbers_in("1 " * (MAX_NUMBERS + 1)) is None
    assert len(numbers_in("1 " * MAX_NUMBERS) or ()) == MAX_NUMBERS


@pytest.mark.parametrize(("text", "mm"), [("12.3", 12.3), ("1,2 cm", 12.0), ("7 mm", 7.0), ("-3", None), ("?", None)])
def test_a_length_may_have_its_unit(text: str, mm: float | None) -> None:
    assert length_mm_in(text) == mm


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T10:15:00+01:00", datetime(2026, 3, 1, 9, 15, tzinfo=UTC)),
        ("2026-03-01 10:15", datetime(2026, 3, 1, 10, 15, tzinfo=UTC)),
        ("20260301101500", datetime(2026, 3, 1, 10, 15, tzinfo=UTC)),
        ("1.3.2026 10:15", datetime(2026, 3, 1, 10, 15, tzinfo=UTC)),
        ("31.2.2026", None),
        ("03/01/2026", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("", None),
    ],
)
def test_a_moment_is_read_where_it_can_mean_one_thing_only(text: str, moment: datetime | None) -> None:
    assert moment_in(text) == moment


def test_a_code_has_a_scheme_and_words_have_none() -> None:
    assert code_in_text("27925004^SCT^Nodule") == Code("27925004", "SCT", "Nodule")
    assert code_in_text("Rundherd") == Code("", "", "Rundherd")
    assert code_in_text("") is None
