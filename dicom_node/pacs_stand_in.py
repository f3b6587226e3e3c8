"""A small PACS for the demo and the tests: sends studies, and keeps what is sent to it. Shell; real associations."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from db.errors import PeerError
from db.files import name_part
from dicom_node.commitment_answers import NO_SUCH_OBJECT, references, transaction_uid_of
from dicom_node.commitment_requests import ALL_COMMITTED, SOME_FAILED, information
from dicom_node.scp import send_without_delay

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""How long a C-STORE may go without an answer."""


class PacsStandIn:
    """A storage SCP on a free port of 127.0.0.1; use as a context manager. `stored` counts the objects it took.

    commits: whether it offers storage commitment, and answers on the association on which it is asked.
    """

    def __init__(self, ae_title: str, folder: Path, commits: bool = False) -> None:
        self._folder = folder
        self.stored = 0
        self._ae = AE(ae_title)
        self._ae.supported_contexts = AllStoragePresentationContexts
        self._ae.add_supported_context(Verification)
        if commits:
            self._ae.add_supported_context(StorageCommitmentPushModel)
        handlers = [
            (evt.EVT_CONN_OPEN, send_without_delay),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]
        server = self._ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
        assert server is not None  # noqa: S101  (it is None only for block=True)
        self._server = server
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> PacsStandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def _store(self, event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        folder = self._folder / name_part(str(ds.StudyInstanceUID))
        folder.mkdir(parents=True, exist_ok=True)
        ds.save_as(folder / f"{name_part(str(ds.SOPInstanceUID))}.dcm", enforce_file_format=True)
        self.stored += 1
        return 0x0000

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        arguments = (event.assoc, event.action_information)
        threading.Thread(target=self._tell, args=arguments, name="commitment", daemon=True).start()
        return 0x0000, None

    def _tell(self, assoc: Association, asked: Dataset) -> None:
        held = {path.stem for path in self._folder.glob("*/*.dcm")}
        committed = [reference for reference in references(asked) if reference[1] in held]
        failed = [(each, NO_SUCH_OBJECT) for each in references(asked) if each not in committed]
        assoc.send_n_event_report(
            information(transaction_uid_of(asked), committed, failed),
            SOME_FAILED if failed else ALL_COMMITTED,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )


TRIES = 3
"""As a PACS does, what got no answer is sent again. pynetdicom's requestor loses an answer now and then: its reactor
thread may take the answer off the queue in the moment in which the sending thread believes it paused."""


def send_study(objects: Sequence[Dataset], ae_title: str, called: str, port: int) -> None:
    """Send objects to a node on this machine. Raises PeerError for the first that is refused, or never answered."""
    for _ in range(TRIES - 1):
        try:
            return _send_once(objects, ae_title, called, port)
        except _NoAnswer as error:
            log.warning("sending a study again: %s", error)
    return _send_once(objects, ae_title, called, port)


class _NoAnswer(PeerError):
    """The node did not answer C-STORE."""


def _send_once(objects: Sequence[Dataset], ae_title: str, called: str, port: int) -> None:
    ae = AE(ae_title)
    ae.dimse_timeout = ANSWER_S
    ae.requested_contexts = [
        build_context(sop_class, syntax)
        for sop_class, syntax in dict.fromkeys(
            (str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)) for ds in objects
        )
    ]
    handlers = [(evt.EVT_CONN_OPEN, send_without_delay)]
    assoc = ae.associate("127.0.0.1", port, ae_title=called, evt_handlers=handlers)  # type: ignore[arg-type]
    if not assoc.is_established:
        raise PeerError("the node did not accept the association", port=port)
    try:
        for ds in objects:
            status = getattr(assoc.send_c_store(ds), "Status", None)
            if status is None:
                raise _NoAnswer(sop_instance=ds.SOPInstanceUID)
            if status != 0x0000:
                raise PeerError("the node did not store an object", sop_instance=ds.SOPInstanceUID, status=status)
    finally:
        assoc.release()
