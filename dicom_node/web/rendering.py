"""Values → HTML: the templates with autoescape on, and how times, sizes and identifiers are written. Pure.

Only what is built here or in a template is markup; whatever came by network is text.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from db.findings import change_from_prior
from dicom_node.web.attention import in_gb
from dicom_node.web.outcome_queries import FROC_POINTS

SHORT_UID = 12


@cache
def environment() -> Environment:
    """The templates, compiled once a process."""
    env = Environment(
        loader=PackageLoader("dicom_node.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        when=when,
        ago=ago,
        uid=short_uid,
        number=number,
        percent=percent,
        change=change,
        change_from_prior=change_from_prior,
        gb=in_gb,
        froc_points=froc_points,
    )
    env.globals.update(FROC_POINTS=FROC_POINTS)
    return env


def when(at: datetime | None) -> str | Markup:
    """A time in UTC to the minute, with seconds as its title; a dash if there is none."""
    if at is None:
        return "–"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%Y-%m-%d %H:%M}"
    )


AGES = ((timedelta(days=2), timedelta(days=1), "days"), (timedelta(hours=2), timedelta(hours=1), "h"))


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit of which there are two."""
    if at is None:
        return "never"
    age = now - at
    for least, unit, name in AGES:
        if age >= least:
            return f"{age // unit} {name} ago"
    minutes = age // timedelta(minutes=1)
    return f"{minutes} min ago" if minutes >= 1 else "just now"


def short_uid(uid: str) -> Markup:
    """The end of a UID, which is where UIDs differ, with the whole one as title."""
    short = uid if len(uid) <= SHORT_UID else "…" + uid[-SHORT_UID:]
    return Markup('<span class="uid" title="{}">{}</span>').format(uid, short)


def number(value: float | None, digits: int = 0) -> str:
    """With a narrow space between thousands; a dash if there is none."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", "\u202f")


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def change(value: float) -> str:
    """A change as a share of what it was, with its sign: +12 %."""
    return f"{100 * value:+.0f} %".replace("-", "\u2212")


def froc_points(froc: tuple[float | None, ...], width: float, height: float) -> str:
    """The points of an SVG polyline: false positives a scan from 0.5 to 8 (log axis), sensitivity upwards."""
    step = width / (len(FROC_POINTS) - 1)
    return " ".join(f"{i * step:.1f},{height * (1 - value):.1f}" for i, value in enumerate(froc) if value is not None)
