"""Whether a destination that fails may be tried now: `decide` is pure, the rest keeps its row.

A PACS that is down costs each try the whole timeout, and a thousand results that wait for it would take a thousand
of them. So after some failures in a row nothing goes there but one probe, and the time between probes grows. Only what
says that the destination is away counts (`scu.PeerAway`); that it refuses one object says nothing of the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from db import circuits, deliveries
from db.outcomes import Circuit as Row
from dicom_node.backoff import delay

OPENS_AFTER = 5
"""Failures in a row."""

FIRST_S, LONGEST_S = 60, 3600
"""Until the next probe."""

PROBE_LASTS = timedelta(minutes=3)
"""No try takes longer; a probe that said nothing in that time was killed, and another may go."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """failures: in a row. opened_at: since when nothing goes there, None while all may. probe_at: when one may."""

    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    reason: str = ""


def decide(
    circuit: Circuit, event: Literal["ask", "failure", "success"], now: datetime, reason: str = ""
) -> tuple[Circuit, datetime | None]:
    """What becomes of a circuit by an event, and until when nothing may be sent; None: it may be sent now.

    ask: before a try. The one who asks when a probe is due becomes the probe; who asks after it is told to wait.
    failure: the destination was away, because of `reason`.
    """
    if event == "success":
        return Circuit(), None
    if event == "failure":
        failures = circuit.failures + 1
        if failures < OPENS_AFTER:
            return Circuit(failures, reason=reason), None
        probe_at = now + delay(failures - OPENS_AFTER + 1, FIRST_S, LONGEST_S)
        return Circuit(failures, circuit.opened_at or now, probe_at, reason), probe_at
    if circuit.opened_at is None or circuit.probe_at is None:
        return circuit, None
    if now < circuit.probe_at:
        return circuit, circuit.probe_at
    return replace(circuit, probe_at=now + PROBE_LASTS), None


def blocked_until(session: Session, destination: str, now: datetime) -> tuple[datetime | None, str]:
    """Until when nothing may be sent there, and why; (None, '') lets the caller try it now."""
    row = session.get(Row, destination)
    if row is None or row.opened_at is None:  # nearly always: nothing is written then
        return None, ""
    until, _ = _step(session, destination, "ask", now)
    return until, row.reason if until else ""


def note_failure(session: Session, destination: str, reason: str, now: datetime) -> bool:
    """The destination was away; whether nothing goes there from now on."""
    until, before = _step(session, destination, "failure", now, reason)
    return until is not None and before.opened_at is None


def note_success(session: Session, destination: str, now: datetime) -> bool:
    """It answered; whether that ends a time in which nothing went there. What waits for it is due now, then."""
    row = session.get(Row, destination)
    if row is None or not row.failures:
        return False
    _, before = _step(session, destination, "success", now)
    if before.opened_at is not None:
        deliveries.hurry(session, destination, now)
    return before.opened_at is not None


def _step(
    session: Session, destination: str, event: Literal["ask", "failure", "success"], now: datetime, reason: str = ""
) -> tuple[datetime | None, Circuit]:
    row = circuits.lock(session, destination)
    before = Circuit(row.failures, row.opened_at, row.probe_at, row.reason)
    after, until = decide(before, event, now, reason)
    row.failures, row.opened_at, row.probe_at, row.reason = (
        after.failures, after.opened_at, after.probe_at, after.reason,
    )  # fmt: skip
    session.flush()
    return until, before
