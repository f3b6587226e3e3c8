"""Numbers, moments and codes as people and programs write them into text. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite

from db.codes import Code
from mining.elements import MAX_NUMBER, moment
from mining.stated_text import stated_in_text

MAX_NUMBERS = 100_000
"""In one list; the longest outline seen has a tenth of it."""

_BETWEEN = re.compile(r"[\s;|\\()\[\]{}]+")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")


def number_in(text: str) -> float | None:
    """One finite number, with a point or a comma; None for anything else."""
    try:
        number = float(text.strip().replace(",", ".", 1) if "." not in text else text)
    except ValueError:
        return None
    return number if isfinite(number) and abs(number) <= MAX_NUMBER else None


def numbers_in(text: str, decimal_comma: bool = False) -> tuple[float, ...] | None:
    """A list of numbers, whatever stands between them; None if a part is no number, or if there are too many.

    decimal_comma: a comma is in a number and not between two.
    """
    parts = _BETWEEN.split(text if decimal_comma else text.replace(",", " "), MAX_NUMBERS + 2)
    numbers = [number_in(part) for part in parts if part]
    found = tuple(number for number in numbers if number is not None)
    return found if len(found) == len(numbers) <= MAX_NUMBERS else None


def length_mm_in(text: str) -> float | None:
    """A length in mm: a bare number, or one with its unit."""
    number = number_in(text)
    if number is None:
        number = next(iter(stated_in_text(text)), None)
    return number if number is not None and number > 0 else None


def moment_in(text: str) -> datetime | None:
    """2026-03-01T10:15:00+01:00, 20260301101500 or 1.3.2026 10:15; UTC where no zone is given."""
    text = text.strip()
    day_first = _DAY_FIRST.fullmatch(text)
    try:
        if day_first is not None:
            day, month, year, hour, minute, second = (int(part or 0) for part in day_first.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return moment(text)


def code_in_text(text: str) -> Code | None:
    """`27925004^SCT^Nodule`, or words without a code."""
    parts = [part.strip() for part in text.split("^")]
    if len(parts) in (2, 3) and parts[0] and parts[1]:
        return Code(parts[0], parts[1], parts[2] if len(parts) == 3 else "")
    return Code("", "", text) if text else None
