"""C-ECHO, C-STORE and storage commitment from the peers that the site lists. Shell.

Promise: Success means that `Store.keep` has returned; every other end of a C-STORE answers the status of PS3.4 B.2.3.
What is asked or answered of storage commitment is in the database, too, before its status is answered.
A bug is not caught here: pynetdicom answers 0xC211 and logs the traceback.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from weakref import WeakKeyDictionary

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom._handlers import (
    standard_dimse_recv_handler,
    standard_dimse_sent_handler,
    standard_pdu_recv_handler,
    standard_pdu_sent_handler,
)
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import ServiceClass, StorageServiceClass
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    Verification,
    uid_to_service_class,
)
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

from db.engine import NO_DATABASE, driver_error, utc_now
from db.errors import ContentError, StorageFull
from dicom_node import commitment_answers, commitment_requests
from dicom_node.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, uid_text
from dicom_node.store import MismatchError, Received, Store

log = logging.getLogger(__name__)

# PS3.4 Table B.2-1
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

# A-ASSOCIATE-RJ: result, source, reason (PS3.8 9.3.4)
CALLING_AE_UNKNOWN = (1, 1, 3)
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)

STOP_SEEN_WITHIN_S = 0.5

STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"


@dataclass(frozen=True, slots=True)
class Sender:
    """A peer that may call us.

    analyse: whether lesions are searched in what it sends. stores: whether it may send objects; one that only takes
    our results may still tell what it commits to. name: as a destination.
    """

    ae_title: str
    analyse: bool = False
    stores: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReceiveSettings:
    """How we answer on the network.

    port: 0 takes a free one. max_pdu: bytes (PS3.8 D.1). idle_timeout_s: silence after which a peer is dropped.
    senders: who may send; nobody else may even open an association.
    """

    ae_title: str
    host: str
    port: int
    senders: Sequence[Sender]
    max_pdu: int = 131072
    max_associations: int = 100
    idle_timeout_s: float = 60.0


@dataclass(slots=True)
class _Tally:
    """What one association brought so far."""

    since: float = field(default_factory=time.monotonic)
    instances: int = 0
    size_bytes: int = 0
    failures: int = 0


class Receiver:
    """A running service. `port` is the one that it listens on."""

    def __init__(self, settings: ReceiveSettings, store: Store) -> None:
        self._senders = {sender.ae_title.strip(): sender for sender in settings.senders}
        self._store = store
        self._max_associations = settings.max_associations
        self._tallies: WeakKeyDictionary[Association, _Tally] = WeakKeyDictionary()
        ae = AE(settings.ae_title)
        ae.require_called_aet = True
        ae.maximum_pdu_size = settings.max_pdu
        ae.maximum_associations = sys.maxsize  # it would count callers who connected and say nothing, too
        ae.network_timeout = settings.idle_timeout_s
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.add_supported_context(Verification)
        server = ae.start_server(
            (settings.host, settings.port),
            block=False,
            evt_handlers=[
                (evt.EVT_CONN_OPEN, send_without_delay),
                (evt.EVT_CONN_OPEN, end_with_the_process),
                (evt.EVT_CONN_CLOSE, forget_silent_caller),
                (evt.EVT_REQUESTED, self._check_caller),
                (evt.EVT_SOP_COMMON, storage_services),
                (evt.EVT_REJECTED, _log_rejected),
                (evt.EVT_RELEASED, self._log_end, ["ended"]),
                (evt.EVT_ABORTED, self._log_end, ["was aborted"]),
                (evt.EVT_C_STORE, self._store_one),
                (evt.EVT_N_ACTION, self._asked_to_commit),
                (evt.EVT_N_EVENT_REPORT, self._told_of_commitment),
            ],
        )
        self._server = cast(ThreadedAssociationServer, server)
        for event, handler in (
            (evt.EVT_DIMSE_RECV, standard_dimse_recv_handler),
            (evt.EVT_DIMSE_SENT, standard_dimse_sent_handler),
            (evt.EVT_PDU_RECV, standard_pdu_recv_handler),
            (evt.EVT_PDU_SENT, standard_pdu_sent_handler),
        ):
            self._server.unbind(event, handler)  # they cost time for each PDU, and write what is in it into the log
        self.port: int = self._server.server_address[1]
        log.info(
            "receiving as %s on %s:%d from %d peers", settings.ae_title, settings.host, self.port, len(self._senders)
        )

    def stop(self, drain_s: float = 30.0) -> None:
        """Take no new association, let the open ones end for so long, abort the rest."""
        self._server.shutdown()
        until = time.monotonic() + drain_s
        while (open_ones := self._open_associations()) and (left := until - time.monotonic()) > 0:
            open_ones[0].join(timeout=left)
        for association in self._open_associations():
            log.warning("aborting an association that did not end within %.0f s", drain_s)
            association.abort()

    def _open_associations(self) -> list[Association]:
        """Those that were asked for; a caller who connected and says nothing is not waited for."""
        return [each for each in self._server.active_associations if each.requestor.primitive is not None]

    def _check_caller(self, event: Event) -> None:
        """Refuse an unknown caller; offer a known one every storage class and transfer syntax that it proposes."""
        request = _association_request(event)
        if request.calling_ae_title.strip() not in self._senders:
            log.warning(
                "rejected calling AE %r at %s: no peer that may send", request.calling_ae_title, _address(event)
            )
            _reject(event, CALLING_AE_UNKNOWN)
            return
        if len(self._open_associations()) > self._max_associations:
            log.warning(
                "rejected %s at %s for now: there are max_associations=%d already",
                request.calling_ae_title.strip(),
                _address(event),
                self._max_associations,
            )
            _reject(event, LOCAL_LIMIT_EXCEEDED)
            return
        stores = self._senders[request.calling_ae_title.strip()].stores
        event.assoc.acceptor.supported_contexts = acceptable(request.presentation_context_definition_list, stores)

    def _asked_to_commit(self, event: Event) -> tuple[int, None]:
        return commitment_requests.status_of(self._store.sessions, self._caller(event).ae_title, event), None

    def _told_of_commitment(self, event: Event) -> tuple[int, None]:
        return commitment_answers.status_of(self._store.sessions, self._caller(event).name, event), None

    def _caller(self, event: Event) -> Sender:
        return self._senders[event.assoc.requestor.ae_title.strip()]

    def _store_one(self, event: Event) -> int:
        request = cast(C_STORE, event.request)
        source_ae = event.assoc.requestor.ae_title.strip()
        received = Received(
            data_set=request.DataSet.getvalue() if request.DataSet else b"",
            transfer_syntax_uid=str(event.context.transfer_syntax),
            sop_class_uid=_uid(request.AffectedSOPClassUID),
            sop_instance_uid=_uid(request.AffectedSOPInstanceUID),
            source_ae=source_ae,
            analyse=self._senders[source_ae].analyse,
        )
        tally = self._tallies.setdefault(event.assoc, _Tally())
        tally.failures += 1  # unless it ends well; a bug counts, too
        status = self._status_of(received)
        if status == SUCCESS:
            tally.failures -= 1
            tally.instances += 1
            tally.size_bytes += len(received.data_set)
        return status

    def _status_of(self, received: Received) -> int:
        """Keep a data set; the status that says what came of it."""
        try:
            self._store.keep(received, utc_now())
        except StorageFull as error:
            log.error("no space for sop_instance=%s: %s", received.sop_instance_uid, error)
            return OUT_OF_RESOURCES
        except OSError as error:
            log.error("cannot write sop_instance=%s: %s", received.sop_instance_uid, error.strerror)
            return OUT_OF_RESOURCES
        except NO_DATABASE as error:
            log.error("no database for sop_instance=%s: %s", received.sop_instance_uid, driver_error(error))
            return OUT_OF_RESOURCES
        except ContentError as error:
            self._list_refusal(received, error)
            return DOES_NOT_MATCH if isinstance(error, MismatchError) else CANNOT_UNDERSTAND
        return SUCCESS

    def _list_refusal(self, received: Received, error: ContentError) -> None:
        """The sender gets its status even where the list cannot be written."""
        try:
            self._store.refuse(received.source_ae, received.sop_instance_uid, error, utc_now())
        except NO_DATABASE as failure:
            log.error("no database to list the refusal in: %s", driver_error(failure))

    def _log_end(self, event: Event, how: str) -> None:
        tally = self._tallies.pop(event.assoc, None)
        caller = event.assoc.requestor.ae_title.strip()
        if tally is not None:
            log.log(
                logging.INFO if how == "ended" and not tally.failures else logging.WARNING,
                "an association of %s %s: instances=%d bytes=%d failures=%d seconds=%.1f",
                caller,
                how,
                tally.instances,
                tally.size_bytes,
                tally.failures,
                time.monotonic() - tally.since,
            )
        elif how != "ended":
            log.warning("an association of %s at %s %s before it brought anything", caller, _address(event), how)


def acceptable(proposed: Sequence[PresentationContext], stores: bool = True) -> list[PresentationContext]:
    """What to support of a proposal: Verification, storage commitment in both roles, and, of a peer that `stores`,
    each storage class in every transfer syntax proposed for it.

    Of several transfer syntaxes in one context, the sender's first is taken: it knows best what it need not convert.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for context in proposed:
        abstract_syntax = str(context.abstract_syntax)
        if abstract_syntax in (Verification, StorageCommitmentPushModel) or (stores and is_storage(abstract_syntax)):
            syntaxes.setdefault(abstract_syntax, {}).update(dict.fromkeys(map(str, context.transfer_syntax)))
    supported = [build_context(abstract, list(transfers)) for abstract, transfers in syntaxes.items()]
    for context in supported:
        if context.abstract_syntax == StorageCommitmentPushModel:
            context.scu_role = context.scp_role = True  # who answers calls us as the provider (PS3.4 J.3.3.1.1)
    return supported


def is_storage(abstract_syntax: str) -> bool:
    """Whether an abstract syntax may be stored: every storage class that the standard has, private and unknown ones.

    What the standard gives another meaning (find, move, print, commitment …) is none.
    """
    service = uid_to_service_class(abstract_syntax)
    if service is not ServiceClass:
        return bool(service is StorageServiceClass)
    name = UID(abstract_syntax).name
    return name == abstract_syntax or ("Storage" in name and "Commitment" not in name)


def storage_services(event: Event) -> dict[UID, SOPClassCommonExtendedNegotiation]:
    """Tell pynetdicom that the classes it does not know belong to the Storage Service (PS3.7 D.3.3.6)."""
    services = {}
    for context in _association_request(event).presentation_context_definition_list:
        abstract_syntax = UID(str(context.abstract_syntax))
        if is_storage(abstract_syntax) and uid_to_service_class(abstract_syntax) is not StorageServiceClass:
            service = SOPClassCommonExtendedNegotiation()
            service.sop_class_uid = abstract_syntax
            service.service_class_uid = UID(STORAGE_SERVICE_CLASS)
            services[abstract_syntax] = service
    return services


def send_without_delay(event: Event) -> None:
    """Turn Nagle's algorithm off: with a sender that waits for each answer it costs 40 ms an instance."""
    connection = cast(AssociationSocket, event.assoc.dul.socket).socket
    cast(socket.socket, connection).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def end_with_the_process(event: Event) -> None:
    """Let the thread that reads a connection be a daemon; pynetdicom starts it after this event.

    `Receiver.stop` waits for what was asked for. Else a caller who says nothing would hold up the end by 30 s.
    """
    event.assoc.dul.daemon = True


def forget_silent_caller(event: Event) -> None:
    """Wake the thread that waits for the request of a caller who connected and went away, as a port check does.

    pynetdicom would let it wait for 30 s.
    """
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)


def serve(settings: ReceiveSettings, store: Store, stop: threading.Event, drain_s: float = 30.0) -> None:
    """Receive until `stop` is set, then let the open associations end."""
    receiver = Receiver(settings, store)
    while not stop.wait(STOP_SEEN_WITHIN_S):  # where another thread is given a signal, nothing wakes this one for it
        pass
    receiver.stop(drain_s)


def _reject(event: Event, why: tuple[int, int, int]) -> None:
    event.assoc.acse.send_reject(*why)
    event.assoc.kill()  # waits until the rejection has left; pynetdicom would close the socket before


def _association_request(event: Event) -> A_ASSOCIATE:
    return cast(A_ASSOCIATE, event.assoc.requestor.primitive)


def _uid(stated: str | None) -> str:
    return uid_text((stated or "").encode("latin-1", "replace"))


def _address(event: Event) -> str:
    return str(event.assoc.requestor.address)


def _log_rejected(event: Event) -> None:
    log.warning("rejected an association from %s", _address(event))
