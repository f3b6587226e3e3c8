"""The receipt of a study: each result that stands, at each destination, and how safe it is there. Shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Delivery, Result
from dicom_node.config import Peer


@dataclass(frozen=True, slots=True)
class Line:
    destination: str
    profile: str
    result_sop_instance_uid: str
    state: str
    delivered_at: datetime | None
    committed_at: datetime | None
    commitment: str
    """'committed'; 'asked' or 'due', when the answer is still to come; or why there is none."""
    last_answer: str

    def as_row(self) -> dict[str, object]:
        return asdict(self)


def receipt_of(session: Session, peers: Sequence[Peer], study_instance_uid: str) -> list[Line]:
    """The deliveries of what no newer result has replaced, by destination. RequestError for an unknown study."""
    if session.get(Study, study_instance_uid) is None:
        raise RequestError("there is no such study", study_instance_uid=study_instance_uid)
    known = {peer.name: peer for peer in peers}
    rows = session.execute(
        select(Delivery, Result)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Analysis.study_instance_uid == study_instance_uid, Result.superseded_by.is_(None))
        .order_by(Delivery.destination, Delivery.delivery_pk)
    )
    return [
        Line(
            delivery.destination,
            result.profile,
            result.result_sop_instance_uid,
            delivery.state,
            delivery.delivered_at,
            delivery.committed_at,
            commitment_of(delivery, known.get(delivery.destination)),
            delivery.last_answer,
        )
        for delivery, result in rows
    ]


def commitment_of(delivery: Delivery, peer: Peer | None) -> str:
    """How far the storage commitment of a delivery is, in words; empty for one that has not arrived. Pure."""
    if delivery.state == "committed":
        return "committed"
    if delivery.state != "delivered":
        return ""
    if peer is None:
        return "not asked: no longer a destination"
    if peer.send_by != "c-store":
        return "not asked: DICOMweb has none"
    if not peer.commitment:
        return "not asked: commitment = false"
    if delivery.next_commit_at is not None:
        return "asked" if delivery.commit_tries else "due"
    return "asked, never answered" if delivery.commit_tries else "the peer offers none"
