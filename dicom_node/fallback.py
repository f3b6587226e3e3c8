"""What goes to a destination that refuses the SOP class of a profile: the next profile of its chain. Shell."""

from __future__ import annotations

import logging
from datetime import datetime

from pydicom.uid import UID

from db import deliveries, findings
from db.deliveries import Letter
from db.errors import ContentError
from db.outcomes import Result
from dicom_node.config import Peer
from dicom_node.node import Node
from dicom_node.report.profiles import stand_ins
from dicom_node.reporting import build_more
from dicom_node.scu import ClassRefused

log = logging.getLogger(__name__)


CHANGED = "a person changed its findings; waiting until it is made anew"


def may_go_to(peer: Peer, profile: str) -> bool:
    """Whether a destination takes a profile, or one that it stands in for."""
    return any(profile in stand_ins(wanted) for wanted in peer.deliver)


def _stand_in(node: Node, letter: Letter) -> Result | None:
    """The next of the chain that says anything of the analysis: of one without lesions a presentation state does not,
    and the picture after it does.
    """
    for name in stand_ins(letter.profile):
        if name == letter.profile:
            continue
        try:
            made = build_more(node, letter.analysis_id, [name])
        except ContentError as error:
            log.warning("no %s in place of sop_instance=%s: %s", name, letter.result_sop_instance_uid, error)
            continue
        if made:
            return made[0]
    return None


def fall_back(node: Node, letter: Letter, refusal: ClassRefused, now: datetime) -> str:
    """Queue the next profile in place of a delivery whose SOP class was refused; what that delivery says from now on.

    Raises the refusal where there is none that says anything of this analysis.
    """
    made = _stand_in(node, letter)
    if made is None:
        with node.sessions.begin() as session:
            if findings.is_outdated(session, letter.delivery_pk):
                deliveries.postpone(session, letter.delivery_pk, now + deliveries.HOUR / 60, CHANGED)
                return CHANGED
        raise refusal
    uid = made.result_sop_instance_uid
    answer = f"the peer refuses {UID(letter.sop_class_uid).name}; sent as {made.profile} instead"
    with node.sessions.begin() as session:
        new = deliveries.put(session, uid, letter.destination, "send", now)
        if new and node.config.peer(letter.destination).mode == "hold":  # a person has let the refused one go
            (delivery_pk,) = deliveries.of_result(session, uid, letter.destination)
            deliveries.note_release(session, delivery_pk, f"delivery {letter.delivery_pk}", now)
        deliveries.discard(session, letter.delivery_pk, answer)
    log.warning("destination=%s sop_instance=%s: %s", letter.destination, letter.result_sop_instance_uid, answer)
    return answer
