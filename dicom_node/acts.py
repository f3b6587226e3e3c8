"""What a person does, on the page or by command: rows in the caller's transaction, one of `audit` among them. Shell.

Nothing here waits for work: the worker sees the rows. What is not allowed now is a RequestError, whoever asks. The
sentences that are returned say what will happen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import deliveries, findings, retractions, studies
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Audit, Task


def note(session: Session, now: datetime, actor: str, action: str, target: str, **facts: Any) -> None:
    session.add(Audit(at=now, actor=actor, action=action, target=target, facts=facts))


def ask(session: Session, now: datetime, actor: str, kind: str) -> tuple[int, str]:
    """Ask for a run of categorise or train: its number. A second is not queued behind one that has not begun."""
    waiting = session.scalar(select(Task.task_pk).where(Task.kind == kind, Task.state == "waiting").limit(1))
    if waiting is not None:
        return waiting, f"{kind} is already asked for and begins when the worker is free."
    task = Task(kind=kind, state="waiting", asked_by=actor, asked_at=now)
    session.add(task)
    session.flush()
    note(session, now, actor, kind, f"task {task.task_pk}")
    return task.task_pk, f"{kind} is asked for; it begins when the worker is free."


def retry_task(session: Session, now: datetime, actor: str, task_pk: int) -> str:
    """Ask again for a run that failed; the failed one stays on record. RequestError for any other."""
    task = session.get(Task, task_pk)
    if task is None:
        raise RequestError("there is no such task", task=task_pk)
    if task.state != "failed":
        raise RequestError(f"a task that is {task.state} cannot be tried again", task=task_pk)
    _, said = ask(session, now, actor, task.kind)
    return said


# --- deliveries -------------------------------------------------------------------------------------------------

# button: the states it applies to; what waits after a failed try can be resent, too
MOVABLE = {"release": ("held",), "resend": ("dead", "delivered", "committed"), "discard": ("held", "dead")}
SAID = {
    "release": "is released; its delivery begins at once",
    "resend": "is sent again; its delivery begins at once",
    "discard": "is discarded and will not be sent",
}
FINDING_SAID = {
    "reject": "The finding is rejected; the results are made anew without it.",
    "restore": "The finding is restored; the results are made anew with it.",
    "accept": "The finding is accepted.",
}


def move_delivery(session: Session, now: datetime, actor: str, button: str, delivery_pk: int) -> str:
    """Release, resend or discard one delivery.

    Raises RequestError if there is none, if its state does not allow it, or if a newer result has replaced its result.
    """
    letter = deliveries.get(session, delivery_pk)
    failed_so_far = button == "resend" and letter.state == "waiting" and letter.tries > 0
    if letter.state not in MOVABLE[button] and not failed_so_far:
        raise RequestError(
            f"a delivery that is {letter.state} cannot be changed by {button}",
            delivery=delivery_pk,
            destination=letter.destination,
        )
    if button == "discard":
        deliveries.discard(session, delivery_pk, "discarded by a person")
        note(session, now, actor, "discard delivery", str(delivery_pk))
    elif letter.superseded:
        raise RequestError("a newer result has replaced this one; release or resend that", delivery=delivery_pk)
    elif findings.is_outdated(session, delivery_pk):
        raise RequestError("its findings were changed by a person; it is made anew first", delivery=delivery_pk)
    else:
        deliveries.release(session, delivery_pk, actor, now)
    return f"The {letter.profile} result for {letter.destination} {SAID[button]}."


def send_again(
    session: Session, now: datetime, actor: str, result_sop_instance_uid: str, destination: str | None
) -> int:
    """Resend a result, or release it where it is held, to one destination or to all that it is for; to how many."""
    found = deliveries.of_result(session, result_sop_instance_uid, destination)
    for delivery_pk in found:
        held = deliveries.get(session, delivery_pk).state == "held"
        move_delivery(session, now, actor, "release" if held else "resend", delivery_pk)
    return len(found)


def move_all(session: Session, now: datetime, actor: str, button: str, destination: str) -> int:
    """Release all that is held for a destination, or resend all that was given up, but nothing that was replaced or
    is being made anew; how many.
    """
    found = deliveries.standing(session, destination, {"release": "held", "resend": "dead"}[button])
    for delivery_pk in found:
        deliveries.release(session, delivery_pk, actor, now)
    return len(found)


def withdraw(
    session: Session, now: datetime, actor: str, result_sop_instance_uid: str, honouring: Collection[str]
) -> str:
    """Take a result back everywhere; what will happen. honouring: destinations with `rejection_notes = true`.

    Raises RequestError for an unknown result, for a rejection note, and for one that is withdrawn already.
    """
    states = retractions.withdraw(session, result_sop_instance_uid, actor, now)
    arrived = [name for name, state in states.items() if state in deliveries.ARRIVED]
    said = {
        "it is not sent to": [name for name, state in states.items() if state in ("held", "waiting", "dead")],
        "it is taken back at": [name for name in arrived if name in honouring],
        "delete it by hand where rejection notes are not taken:": [name for name in arrived if name not in honouring],
    }
    parts = [f"{what} {', '.join(names)}" for what, names in said.items() if names]
    return "; ".join(["The result is withdrawn", *parts]) + "."


# --- findings ---------------------------------------------------------------------------------------------------


def judge_finding(session: Session, now: datetime, actor: str, button: str, detection_id: str) -> str:
    """Reject, restore or accept one finding, before its result is sent or after.

    Raises RequestError where it makes no sense: below the operating point, replaced, said already.
    """
    row, analysis = findings.get(session, detection_id)
    if button == "reject":
        _refuse_if(bool(row.discarded_by), "this finding is rejected already", detection_id)
        findings.change(session, analysis, actor, now, out=[row])
    elif button == "restore":
        _refuse_if(not row.discarded_by, "this finding was not rejected here", detection_id)
        findings.change(session, analysis, actor, now, back=[row])
    else:
        _refuse_if(bool(row.discarded_by), "this finding is rejected; restore it", detection_id)
        said = findings.answers(session, [detection_id]).get(detection_id, [])
        same = bool(said) and (said[-1].verdict, said[-1].reader) == (findings.ACCEPTED, actor)
        _refuse_if(same, "this finding is accepted already", detection_id)
        findings.accept(session, row, actor, now)
    note(session, now, actor, f"{button} finding", detection_id, edition=analysis.edition)
    return FINDING_SAID[button]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a person ticked: detection_id of every finding that goes out, and the edition that he had before him."""

    detection_ids: Collection[str]
    edition: int


def release_findings(
    session: Session,
    now: datetime,
    actor: str,
    analysis_id: str,
    kept: Kept | None = None,
    destination: str | None = None,
) -> str:
    """Let go what is held of an analysis, for one destination or for all, with those findings that are kept.

    kept: the others are rejected, and a rejected one among them is restored. None leaves all of them as they are.
    Where that changes what is reported, the results are made anew and not held again. Raises RequestError if nothing
    is held, if none is kept of those that stand, if one is no finding of the analysis, or if somebody changed the
    findings since they were shown: a tick would undo what the other person did, unseen.
    """
    analysis = findings.lock(session, analysis_id)
    held = findings.held(session, analysis_id, destination)
    if not held:
        raise RequestError("nothing of this analysis is held", analysis=analysis_id, destination=destination)
    if kept is not None:
        _keep(session, now, actor, analysis, kept)
    destinations = sorted({name for _, name in held})
    findings.release(session, analysis, destinations, actor, now)
    if any(findings.is_outdated(session, delivery_pk) for delivery_pk, _ in held):
        return f"The results are made anew with what is left and go to {', '.join(destinations)}."
    for delivery_pk, _ in held:
        deliveries.release(session, delivery_pk, actor, now)
    return f"The results are released; their delivery to {', '.join(destinations)} begins at once."


def _keep(session: Session, now: datetime, actor: str, analysis: Analysis, ticked: Kept) -> None:
    if ticked.edition != analysis.edition:
        raise RequestError("somebody changed the findings meanwhile; look at them again", analysis=analysis.analysis_id)
    kept = ticked.detection_ids
    rows = findings.of_analysis(session, analysis.analysis_id)
    unknown = set(kept) - {row.detection_id for row in rows}
    if unknown or (not kept and not all(row.discarded_by for row in rows)):
        because = "this is no finding of the analysis" if unknown else "nothing is ticked; discard all takes all out"
        raise RequestError(
            because, analysis=analysis.analysis_id, **({"detections": sorted(unknown)} if unknown else {})
        )
    out = [row for row in rows if row.detection_id not in kept and not row.discarded_by]
    back = [row for row in rows if row.detection_id in kept and row.discarded_by]
    findings.change(session, analysis, actor, now, out=out, back=back)
    for action, changed in (("reject finding", out), ("restore finding", back)):
        for row in changed:
            note(session, now, actor, action, row.detection_id, edition=analysis.edition)


def reject_all(session: Session, now: datetime, actor: str, analysis_id: str) -> str:
    """Reject every finding of an analysis; what is held of it is not sent.

    Raises RequestError if there is none left to reject.
    """
    analysis = findings.lock(session, analysis_id)
    out = [row for row in findings.of_analysis(session, analysis_id) if not row.discarded_by]
    if not out:
        raise RequestError("there is no finding left to reject", analysis=analysis_id)
    findings.change(session, analysis, actor, now, out=out)
    for row in out:
        note(session, now, actor, "reject finding", row.detection_id, edition=analysis.edition)
    for delivery_pk, _ in findings.held(session, analysis_id):
        deliveries.discard(session, delivery_pk, "all its findings were rejected by a person")
        note(session, now, actor, "discard delivery", str(delivery_pk))
    return "All findings are rejected; what was held is not sent, and what was delivered is replaced."


def retry_results(session: Session, now: datetime, actor: str, analysis_id: str) -> str:
    """Make the results anew that could not be made after a person changed the findings.

    Raises RequestError if no try has failed.
    """
    analysis = findings.lock(session, analysis_id)
    if analysis.issued_edition >= analysis.edition or not analysis.issue_attempts:
        raise RequestError("no try to make these results anew has failed", analysis=analysis_id)
    analysis.next_issue_at = now
    note(session, now, actor, "retry results", analysis_id)
    return "The results are made anew as soon as the worker is free."


def _refuse_if(wrong: bool, because: str, detection_id: str) -> None:
    if wrong:
        raise RequestError(because, detection=detection_id)


# --- studies ----------------------------------------------------------------------------------------------------


def choose(session: Session, now: datetime, actor: str, instance_pk: int) -> str:
    """Choose one of several contents under one UID; the study settles again, and everything after that is redone.

    Raises RequestError if that content is not part of a conflict.
    """
    study_instance_uid = studies.choose(session, instance_pk)
    note(session, now, actor, "choose content", f"instance row {instance_pk}", study_instance_uid=study_instance_uid)
    return "The content is chosen; the study settles again and is read anew."


def retry_study(session: Session, now: datetime, actor: str, study_instance_uid: str) -> str:
    """Try a study again that was given up, or whose next try is far; RequestError if no try has failed."""
    study = session.get(Study, study_instance_uid)
    if study is None:
        raise RequestError("there is no such study", study_instance_uid=study_instance_uid)
    if study.attempted_revision != study.revision or not study.attempts:
        raise RequestError("no try of this study has failed", study_instance_uid=study_instance_uid)
    study.next_try_at = now
    note(session, now, actor, "retry study", study_instance_uid)
    return "The study is tried again as soon as the worker is free."
