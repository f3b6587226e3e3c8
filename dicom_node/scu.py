"""The node as a caller: C-ECHO and C-STORE to a peer. Shell."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

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


def echo(peer: Peer, our_ae_title: str) -> str:
    """Ask whether a peer is there; the answer in words. Raises PeerError."""
    ae = AE(our_ae_title)
    ae.add_requested_context(Verification)
    with associated(ae, peer) as assoc:
        if not assoc.accepted_contexts:
            raise PeerError("the peer offers no C-ECHO", peer=peer.name)
        check(peer, assoc.send_c_echo(), "C-ECHO")
    return "answered C-ECHO with Success"


def store(peer: Peer, our_ae_title: str, path: Path, sop_class_uid: str, transfer_syntax_uid: str) -> str:
    """Send one Part 10 file; the peer's answer in words. A warning (0xBxxx) is a success (PS3.4 B.2.3).

    Raises PeerError: unreachable, SOP class refused, or the status it answered.
    """
    ae = AE(our_ae_title)
    ae.add_requested_context(sop_class_uid, [transfer_syntax_uid])
    with associated(ae, peer) as assoc:
        if not assoc.accepted_contexts:
            raise PeerError(
                "the peer does not accept this SOP class; allow it there or deliver another profile",
                peer=peer.name,
                sop_class=sop_class_uid,
            )
        status = check(peer, assoc.send_c_store(dcmread(path)), "C-STORE")
    return "Success" if status == 0 else f"stored with warning 0x{status:04X}"


@contextmanager
def associated(ae: AE, peer: Peer) -> Iterator[Association]:
    """An open association with a peer, released at the end. Raises PeerError if it cannot be had."""
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = TIMEOUT_S
    handlers = [(evt.EVT_CONN_OPEN, _no_delay)]
    assoc = ae.associate(peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=handlers)  # type: ignore[arg-type]
    try:
        if not assoc.is_established:
            if not assoc.is_rejected and not assoc.acceptor.primitive:
                raise PeerError("the peer cannot be reached", peer=peer.name, address=f"{peer.host}:{peer.port}")
            if assoc.is_rejected or not assoc.rejected_contexts:
                raise PeerError(
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
    """The final status of an answer, 0 or a warning. Raises PeerError for a failure, and where none came."""
    status = getattr(answer, "Status", None)
    if status is None:
        raise PeerError(f"the peer did not answer {service}", peer=peer.name)
    if status != 0 and not 0xB000 <= status <= 0xBFFF:
        words = _WORDS.get(status, _WORDS.get(status & 0xFF00, _WORDS.get(status & 0xF000, "a failure")))
        raise PeerError(f"the peer answered {service} with 0x{status:04X}: {words}", peer=peer.name)
    return int(status)
