"""Section `[report]` of node.toml: what a site adds to the codes of findings and their sites. Pure.

The table of words that is built in stands in `report.concepts`, which must not be imported here: receiving needs no
highdicom.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from db.codes import Code
from dicom_node.config_section import Section

_PARTS = ("value", "scheme", "meaning")
_LONGEST = (16, 16, 64)  # SH, SH and LO (PS3.5 table 6.2-1)


def _word(value: str) -> str:
    if not re.search(r"\w", value):
        raise ValueError("must hold a letter or a digit, or it would be found in no name")
    return value


def _code(value: str) -> str:
    if value:
        code_from(value)
    return value


def code_from(text: str) -> Code:
    """Raises ValueError with what a code looks like."""
    parts = [part.strip() for part in text.split("|")]
    fits = len(parts) == len(_PARTS) and all(0 < len(part) <= most for part, most in zip(parts, _LONGEST, strict=True))
    if not fits or "\\" in text or not text.isprintable():
        raise ValueError(
            f'a code is "{"|".join(_PARTS)}" of at most 16, 16 and 64 characters, like "27925004|SCT|Nodule"'
        )
    return Code(*parts)


CodeText = Annotated[str, AfterValidator(_code)]


class WordCodes(Section):
    """What a word in a category's name says. One [[report.codes]] each."""

    word: Annotated[str, AfterValidator(_word)] = Field(
        description="A word, or several, as they stand in names of categories; their case does not matter."
    )
    finding: Annotated[str, AfterValidator(_code)] = Field(
        "", description="What such a lesion is: value|scheme|meaning."
    )
    site: Annotated[str, AfterValidator(_code)] = Field("", description="Where it is: value|scheme|meaning.")

    @model_validator(mode="after")
    def _says_something(self) -> WordCodes:
        if not self.finding and not self.site:
            raise ValueError(f"word = {self.word!r} needs a finding, a site or both")
        return self


class Report(Section):
    """What results say."""

    codes: list[WordCodes] = Field(default=[])

    @property
    def findings(self) -> dict[str, Code]:
        """Word → what the lesion is; a later one of the same word holds."""
        return {each.word: code_from(each.finding) for each in self.codes if each.finding}

    @property
    def sites(self) -> dict[str, Code]:
        """Word → where the lesion is; a later one of the same word holds."""
        return {each.word: code_from(each.site) for each in self.codes if each.site}
