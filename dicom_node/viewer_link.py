"""A finding or a study → the address that opens it in a site's viewer. Pure.

The template is the site's; what is filled in comes by network, so each value is quoted and can only be a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from string import Formatter
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Place:
    """What a viewer is told to open; empty where it is not known, or where a whole study is meant."""

    study: str
    series: str = ""
    instance: str = ""
    patient: str = ""
    accession: str = ""


PLACEHOLDERS = tuple(field.name for field in fields(Place))
RUNS_A_SCRIPT = ("javascript", "data", "vbscript")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def viewer_template(template: str) -> str:
    """The template as it is; empty is no viewer. Raises ValueError with what is wrong with it and what is allowed."""
    if not template:
        return template
    scheme = _SCHEME.match(template)
    if scheme is None or scheme[1].lower() in RUNS_A_SCRIPT:
        raise ValueError("a link begins with https:, http: or the viewer's own scheme")
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"a single brace; write {{{{ for a brace that is meant ({error})") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            allowed = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ValueError(f"{{{name}}} cannot be filled in like this; there are: {allowed}")
    return template


def viewer_link(template: str, place: Place) -> str:
    """The address, its values percent-encoded (RFC 3986 2.1).

    Empty where there is no template, or where it asks for what is not known of this place: half an address would open
    something else.
    """
    wanted = {name for _, name, _, _ in Formatter().parse(template) if name}
    values = {name: getattr(place, name) for name in wanted}
    if not template or not all(values.values()):
        return ""
    return template.format_map({name: quote(value, safe="") for name, value in values.items()})
