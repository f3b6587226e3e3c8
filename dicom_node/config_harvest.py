"""Section `[harvest]` of node.toml → `mining.settings.HarvestSettings`. Pure.

The limits of doubt are the fields of `mining.noise.NoiseLimits`, which says what each is for; a new one there is a new
key here.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, create_model, model_validator

from dicom_node.config_section import Section
from mining.image_purpose import PURPOSES
from mining.noise import NoiseLimits
from mining.private_paths import path_from
from mining.readers.encapsulated import AIM_DOCUMENT, BOOKMARKS
from mining.readers.private import VR_TYPES
from mining.settings import MEANINGS, ORIGINS, VERDICTS, BookmarkColumns, HarvestSettings, PrivateTable

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_POINTS = ("points", "long_axis", "x1")


def _one_of(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of: {', '.join(allowed)}")
        return value

    return AfterValidator(check)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty, or it would stand for everything")
    return value


def _delimiter(value: str) -> str:
    if len(value) != 1 or value in '"\r\n':
        raise ValueError('must be one character, like "," or ";" or "\\t"')
    return value


def _sop_class(value: str) -> str:
    if len(value) > 64 or _UID.fullmatch(value) is None:
        raise ValueError("must be a UID of digits and dots, at most 64 characters (PS3.5 9.1)")
    if value in (AIM_DOCUMENT, BOOKMARKS):
        raise ValueError("is a SOP class of this node")
    return value


def _columns(value: dict[str, str]) -> dict[str, str]:
    if not value:
        return value
    _check_meanings(value.values(), vr_allowed=False)
    meanings = set(value.values())
    if "image" not in meanings and not {"series", "instance_number"} <= meanings:
        raise ValueError('a column must mean "image", or two must mean "series" and "instance_number"')
    return value


def _tags(value: dict[str, str]) -> dict[str, str]:
    for path in value:
        path_from(path)
    _check_meanings(value.values(), vr_allowed=True)
    if not {meaning.partition(":")[0] for meaning in value.values()} & {*_POINTS, "image"}:
        raise ValueError(f"no tag means a drawing ({', '.join(_POINTS)} …) or an image")
    return value


def _check_meanings(meanings: Any, vr_allowed: bool) -> None:
    seen: set[str] = set()
    for meaning in meanings:
        name, colon, vr = meaning.partition(":")
        if name not in MEANINGS or (colon and not vr_allowed):
            raise ValueError(f"{meaning!r} is no meaning; there are: {', '.join(MEANINGS)}")
        if colon and vr not in VR_TYPES:
            raise ValueError(f"{meaning!r}: a VR behind a meaning is one of {', '.join(VR_TYPES)}")
        if name in seen:
            raise ValueError(f"two of them mean {name!r}")
        seen.add(name)


def _verdicts(value: dict[str, str]) -> dict[str, str]:
    for said, verdict in value.items():
        if not said.strip():
            raise ValueError("an empty word would stand for everything")
        if verdict not in VERDICTS:
            raise ValueError(f"{verdict!r} is no verdict; there are: {', '.join(VERDICTS)}")
    return value


Origin = Annotated[str, _one_of(*ORIGINS)]
Named = Annotated[str, AfterValidator(_not_empty)]
_ORIGIN = (
    "Where (0, 0) is: scoord, the corner of the first pixel; zero, its centre; one: its centre is (1, 1), as in "
    "DL_info.csv."
)


class Bookmarks(Section):
    """How CSV files of bookmarks are read."""

    origin: Origin = Field("scoord", description=_ORIGIN)
    delimiter: Annotated[str, AfterValidator(_delimiter)] = Field(
        ",", description="What separates the cells; a first line like sep=; goes before it."
    )
    decimal_comma: bool = Field(
        False, description="Whether a comma in a cell with several numbers is in a number, and not between two."
    )
    columns: Annotated[dict[str, str], AfterValidator(_columns)] = Field(
        default={}, description="Name of a column → its meaning; none: no CSV file is taken."
    )


class Private(Section):
    """How private elements of one kind of object are read. One [[harvest.private]] each."""

    sop_class: Annotated[str, AfterValidator(_sop_class)] = Field(description="SOP Class UID of the objects.")
    origin: Origin = Field("scoord", description=_ORIGIN)
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(description="Tag, or path of tags → its meaning.")


def _descriptions() -> Mapping[str, str]:
    """What stands below each limit in its class; the words of its name where nothing does."""
    (definition,) = ast.parse(inspect.getsource(NoiseLimits)).body
    said = {field.name: f"{field.name.replace('_', ' ').capitalize()}." for field in fields(NoiseLimits)}
    name = ""
    for statement in definition.body if isinstance(definition, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name in said:
            said[name] = " ".join(str(statement.value.value).split())
    return said


if TYPE_CHECKING:

    class _Limits(Section):
        """The fields of NoiseLimits."""

else:
    _said = _descriptions()
    _Limits = create_model(
        "_Limits",
        __base__=Section,
        **{
            field.name: (type(field.default), Field(field.default, description=_said[field.name]))
            for field in fields(NoiseLimits)
        },
    )


class Harvest(_Limits):
    """What is doubtful, what is no truth, and how files are read that follow no standard."""

    let_in: list[Annotated[str, _one_of(*PURPOSES)]] = Field(
        default=[], description=f"Kinds of images that are let into training all the same: {', '.join(PURPOSES)}."
    )
    exclude: list[Named] = Field(
        default=[],
        description="Patterns (* and ?) of series and study descriptions, scanners' makers and patient IDs that never "
        "count as truth.",
    )
    algorithms: list[Named] = Field(
        default=[], description="Names of writers, devices and readers that are no person, beside the known ones."
    )
    verdicts: Annotated[dict[str, str], AfterValidator(_verdicts)] = Field(
        default={},
        description="What viewers here write for accepted, modified, rejected or added, beside the usual words: a code "
        'like "99SITE:A1", or a text → one of these.',
    )
    bookmarks: Bookmarks = Bookmarks()
    private: list[Private] = Field(default=[])

    @model_validator(mode="after")
    def _limits_agree(self) -> Harvest:
        self._noise()
        return self

    def _noise(self) -> NoiseLimits:
        return NoiseLimits(**{field.name: getattr(self, field.name) for field in fields(NoiseLimits)})

    def settings(self) -> HarvestSettings:
        """The same as the harvest takes it."""
        given = self.bookmarks
        return HarvestSettings(
            noise=self._noise(),
            private=tuple(PrivateTable(table.sop_class, table.tags, table.origin) for table in self.private),
            bookmarks=BookmarkColumns(given.columns, given.origin, given.delimiter, given.decimal_comma)
            if given.columns
            else None,
            let_in=frozenset(self.let_in),
            exclude=tuple(self.exclude),
            algorithms=tuple(self.algorithms),
            verdicts=dict(self.verdicts),
        )
