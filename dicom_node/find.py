"""Ask the sender's PACS how many instances a study has (C-FIND, PS3.4 C.3.4). Shell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from db.arrivals import not_returned
from db.engine import Sessions, reading
from db.errors import PeerError
from dicom_node.config import Config, Peer
from dicom_node.scu import associated, check
from mining.elements import integer_of

log = logging.getLogger(__name__)

PENDING = (0xFF00, 0xFF01)


PAUSE_S = 60.0
"""A peer that failed is left alone for so long: one that is silent costs the caller the whole timeout each time."""


class PeerCounts:
    """Counts of studies at those peers that may be asked (`find = true`), without what we delivered to them."""

    def __init__(self, config: Config, sessions: Sessions, clock: Callable[[], float] = time.monotonic) -> None:
        self._our_ae_title = config.dicom.ae_title
        self._peers = {peer.ae_title: peer for peer in config.peers if peer.find}
        self._sessions = sessions
        self._clock = clock
        self._paused_until: dict[str, float] = {}

    def ask(self, source_ae: str, study_instance_uid: str) -> int | None:
        """NumberOfStudyRelatedInstances at the peer of that AE title, less our own results that it did not send back.

        None if it may not be asked, does not say, or failed within the last `PAUSE_S`.
        """
        peer = self._peers.get(source_ae)
        if peer is None:
            return None
        if self._clock() < self._paused_until.get(source_ae, float("-inf")):
            log.warning("study=%s gets no count: its sender failed to answer a moment ago", study_instance_uid)
            return None
        try:
            there = number_of_instances(peer, self._our_ae_title, study_instance_uid)
        except PeerError as error:
            self._paused_until[source_ae] = self._clock() + PAUSE_S
            log.warning("study=%s gets no count: %s", study_instance_uid, error)
            return None
        if there is None:
            return None
        with reading(self._sessions) as session:
            return there - not_returned(session, study_instance_uid, peer.name)


def number_of_instances(peer: Peer, our_ae_title: str, study_instance_uid: str) -> int | None:
    """What the peer counts for a study; None if it knows no such study or gives no number. Raises PeerError."""
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = study_instance_uid
    query.NumberOfStudyRelatedInstances = None
    ae = AE(our_ae_title)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    found: int | None = None
    with associated(ae, peer) as assoc:
        if not assoc.accepted_contexts:
            raise PeerError("the peer offers no C-FIND; set find = false", peer=peer.name)
        for status, identifier in assoc.send_c_find(query, StudyRootQueryRetrieveInformationModelFind):
            if getattr(status, "Status", None) not in PENDING:
                check(peer, status, "C-FIND")
            elif identifier is not None:
                number = integer_of(identifier, "NumberOfStudyRelatedInstances")
                found = number if number is not None else found
    return found
