"""The node as a caller: C-ECHO and C-STORE to a peer, and the association of every other service. Shell."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from db.errors import PeerError
from dicom_node.config import Peer

TIMEOUT_S = 30.0

_WORDS = {
    0xA700: "out of resources",
    0xA900: "the data set does not match the SOP class",
    0xC000: "it cannot understand the object",
    0x0122: "it does not support the SOP class",
    0x0124: "not authorised",
}
"""PS3.4 Table B.2-1 and PS3.7 Annex C, as a person reads them."""

CLASS_NOT_SUPPORTED = 0x0122


class PeerAway(PeerError):
    """The peer cannot be reached, lets us not in or fell silent; that says nothing of the object that was to go."""


class ClassRefused(PeerError):
    """The peer does not take this kind of object."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a destination said when it took an object. offers_commitment: storage commitment may be asked of it."""

    answer: str
    offers_commitment: bool = False


def echo(peer: Peer, our_ae_title: str) -> str:
    """Ask whether a peer is there; the answer in words. Raises PeerError."""
    ae = AE(our_ae_title)
    ae.add_requested_context(Verification)
    with associated(ae, peer) as assoc:
        if not assoc.accepted_contexts:
            raise PeerError("the peer offers no C-ECHO", peer=peer.name)
        check(peer, assoc.send_c_echo(), "C-ECHO")
    return "answered C-ECHO with Success"


def store(peer: Peer, our_ae_title: str, path: Path, sop_class_uid: str, transfer_syntax_uid: str) -> Stored:
    """Send one Part 10 file; the peer's answer. A warning (0xBxxx) is a success (PS3.4 B.2.3).

    Storage commitment is proposed beside it, so that its answer to the proposal says whether it may be asked.
    Raises PeerAway, ClassRefused, or PeerError with the status that it answered.
    """
    ae = AE(our_ae_title)
    ae.add_requested_context(sop_class_uid, [transfer_syntax_uid])
    if peer.commitment:
        ae.add_requested_context(StorageCommitmentPushModel)
    with associated(ae, peer) as assoc:
        if not offers(assoc, sop_class_uid):
            raise ClassRefused(
                "the peer does not accept this SOP class; allow it there or deliver another profile",
                peer=peer.name,
                sop_class=sop_class_uid,
            )
        answer = assoc.send_c_store(dcmread(path))
        if getattr(answer, "Status", None) == CLASS_NOT_SUPPORTED:
            raise ClassRefused(_failed("C-STORE", CLASS_NOT_SUPPORTED), peer=peer.name)
        status = check(peer, answer, "C-STORE")
        committing = offers(assoc, StorageCommitmentPushModel)
    return Stored("Success" if status == 0 else f"stored with warning 0x{status:04X}", committing)


def offers(assoc: Association, abstract_syntax: str) -> bool:
    """Whether the peer accepted a context for it."""
    return any(context.abstract_syntax == UID(abstract_syntax) for context in assoc.accepted_contexts)


@contextmanager
def associated(
    ae: AE, peer: Peer, handlers: Sequence[tuple[Any, Any]] = (), roles: Sequence[Any] = ()
) -> Iterator[Association]:
    """An open association with a peer, released at the end. Raises PeerAway if it cannot be had.

    handlers: of what the peer asks of us on it. roles: items of role selection (PS3.7 D.3.3.4).
    """
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = TIMEOUT_S
    assoc = ae.associate(
        peer.host,
        peer.port,
        ae_title=peer.ae_title,
        ext_neg=list(roles),
        evt_handlers=[(evt.EVT_CONN_OPEN, _no_delay), *handlers],
    )
    try:
        if not assoc.is_established:
            if not assoc.is_rejected and not assoc.acceptor.primitive:
                raise PeerAway("the peer cannot be reached", peer=peer.name, address=f"{peer.host}:{peer.port}")
            if assoc.is_rejected or not assoc.rejected_contexts:
                raise PeerAway(
                    "the peer rejected the association; check that it knows our AE title",
                    peer=peer.name,
                    our_ae_title=ae.ae_title,
                )
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def _no_delay(event: evt.Event) -> None:
    """Without this, Nagle's algorithm and delayed acknowledgements cost 40 ms an object."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def check(peer: Peer, answer: object, service: str) -> int:
    """The final status of an answer, 0 or a warning. Raises PeerError for a failure, PeerAway where none came."""
    status = getattr(answer, "Status", None)
    if status is None:
        raise PeerAway(f"the peer did not answer {service}", peer=peer.name)
    if status != 0 and not 0xB000 <= status <= 0xBFFF:
        raise PeerError(_failed(service, status), peer=peer.name)
    return int(status)


def _failed(service: str, status: int) -> str:
    return f"the peer answered {service} with 0x{status:04X}: {words_of(status)}"


def words_of(status: int) -> str:
    """What a failure's status means."""
    return _WORDS.get(status, _WORDS.get(status & 0xFF00, _WORDS.get(status & 0xF000, "a failure")))
