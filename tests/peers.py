"""A scripted peer: a real pynetdicom SCP that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_node.config import Peer
from dicom_node.scp import send_without_delay

FIND = StudyRootQueryRetrieveInformationModelFind
UNCOMPRESSED = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


@dataclass
class Script:
    """What the peer answers, one entry a request, the last one for ever; and what it was asked.

    stores, echoes: DIMSE statuses. finds: NumberOfStudyRelatedInstances, None for a match that does not say it,
    'nothing' for no match, or a failure's status as 'fail'. abort: break every association at its first request.
    """

    stores: list[int] = field(default_factory=lambda: [0x0000])
    echoes: list[int] = field(default_factory=lambda: [0x0000])
    finds: list[int | str | None] = field(default_factory=lambda: [None])
    abort: bool = False
    stored: list[Dataset] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


class ScriptedPeer:
    """The running peer. `peer`: as it stands in our node.toml."""

    def __init__(self, script: Script, port: int) -> None:
        self.script = script
        self.peer = Peer(name="Archive", ae_title="ARCHIVE", host="127.0.0.1", port=port, find=True, deliver=["ohif"])


@contextmanager
def scripted_peer(
    script: Script | None = None,
    offers: Sequence[str] = (Verification, CTImageStorage, FIND),
    knows: Sequence[str] = (),
) -> Iterator[ScriptedPeer]:
    """A peer on a free port. offers: SOP classes; knows: the callers it lets in, everyone if empty."""
    told = script or Script()
    ae = AE("ARCHIVE")
    ae.require_calling_aet = list(knows)
    for sop_class in offers:
        ae.add_supported_context(sop_class, UNCOMPRESSED)
    handlers = [
        (evt.EVT_CONN_OPEN, send_without_delay),
        (evt.EVT_C_ECHO, _echo, [told]),
        (evt.EVT_C_STORE, _store, [told]),
        (evt.EVT_C_FIND, _find, [told]),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    assert server is not None
    try:
        yield ScriptedPeer(told, server.server_address[1])
    finally:
        server.shutdown()
        for assoc in server.active_associations:
            assoc.join(10)


def _next(answers: list[int] | list[int | str | None]) -> int | str | None:
    return answers.pop(0) if len(answers) > 1 else answers[0]


def _echo(event: evt.Event, script: Script) -> int:
    if script.abort:
        event.assoc.abort()
    return int(_next(script.echoes) or 0)


def _store(event: evt.Event, script: Script) -> int:
    if script.abort:
        event.assoc.abort()
        return 0xC000
    status = int(_next(script.stores) or 0)
    if status == 0 or 0xB000 <= status <= 0xBFFF:
        script.stored.append(event.dataset)
    return status


def _find(event: evt.Event, script: Script) -> Iterator[tuple[int, Dataset | None]]:
    if script.abort:
        event.assoc.abort()
        return
    uid = str(event.identifier.StudyInstanceUID)
    script.asked.append(uid)
    answer = _next(script.finds)
    if answer == "fail":
        yield 0xA700, None
    elif answer != "nothing":
        match = Dataset()
        match.QueryRetrieveLevel, match.StudyInstanceUID = "STUDY", uid
        match.NumberOfStudyRelatedInstances = answer
        yield 0xFF00, match
