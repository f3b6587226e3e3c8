"""When to try again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

STUDY_TRIES = 5
"""Then a person must look at it (`jobs retry`)."""

DELIVERY_TRIES = 30
"""With the delays below: about four days, a PACS that is down over a long weekend. Then it is a dead letter."""

COMMIT_TRIES = 10
"""Storage commitment is asked so often where no answer comes: with the delays below, about four days."""


def delay(tries: int, first_s: float, longest_s: float) -> timedelta:
    """How long to wait after that many failed tries (1, 2, …): doubling, up to the longest."""
    return timedelta(seconds=min(longest_s, first_s * 2.0 ** min(tries - 1, 40)))


def next_study_try(now: datetime, tries: int) -> datetime | None:
    """None: no more by itself."""
    return None if tries >= STUDY_TRIES else now + delay(tries, first_s=10, longest_s=3600)


def next_delivery_try(now: datetime, tries: int) -> datetime | None:
    """None: a dead letter, which a person can resend."""
    return None if tries >= DELIVERY_TRIES else now + delay(tries, first_s=30, longest_s=4 * 3600)


def next_commit_try(now: datetime, tries: int) -> datetime | None:
    """When storage commitment is asked again if no answer comes; None: no more. An archive may answer at night."""
    return None if tries >= COMMIT_TRIES else now + delay(tries, first_s=15 * 60, longest_s=24 * 3600)
