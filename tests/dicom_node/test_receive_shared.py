"""Every object among the shared ones, sent by C-STORE over a real association: none is lost."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from arriving import SHARED, associated, new_store, receiving
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from sqlalchemy import select

from db.engine import Sessions, open_engine, open_sessions, reading, sqlite_url
from db.models import Instance
from dicom_node.database import upgrade
from dicom_node.importing import import_paths
from dicom_node.part10 import identify, read_part10
from dicom_node.store import Store

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Sendable:
    """An object as a sender has it: its encoded bytes, and what it announces them as."""

    path: Path
    data_set: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def objects() -> Iterator[Sendable]:
    """Each Part 10 file with a SOP class."""
    for path in sorted(path for path in SHARED.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if content[128:132] != b"DICM":
            continue
        part10 = read_part10(content)
        data_set = content[part10.data_set_at :]
        found = identify(data_set, part10.transfer_syntax_uid)
        sop_class_uid = found.sop_class_uid or part10.sop_class_uid
        if sop_class_uid:
            uid = found.sop_instance_uid or part10.sop_instance_uid
            yield Sendable(path, data_set, sop_class_uid, uid, part10.transfer_syntax_uid)


def why_not_sendable(ds: Sendable) -> str:
    """Why no C-STORE can announce it; empty if one can."""
    for name, uid in (("SOP Class UID", ds.sop_class_uid), ("SOP Instance UID", ds.sop_instance_uid)):
        if not uid:
            return f"it has no {name}"
        if not UID(uid).is_valid:
            return f"its {name} is no UID"
    return "" if len(ds.data_set) else "it has no data set"


def c_store(assoc: Association, ds: Sendable, context_id: int) -> int:
    """Send the bytes as they are (send_c_store would decode and encode them); the status."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = UID(ds.sop_class_uid), UID(ds.sop_instance_uid)
    request.DataSet = BytesIO(ds.data_set)
    assoc._reactor_checkpoint.clear()
    while not assoc._is_paused:
        time.sleep(0.001)
    try:
        assoc.dimse.send_msg(request, context_id)
        _, answer = assoc.dimse.get_msg(block=True)
    finally:
        assoc._reactor_checkpoint.set()
    assert isinstance(answer, C_STORE), f"{ds.path.name} was not answered"
    assert answer.Status is not None
    return answer.Status


def kept(store: Store) -> set[tuple[str, str]]:
    with reading(store.sessions) as session:
        return {(row.sop_instance_uid, row.content_sha256) for row in session.scalars(select(Instance))}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """A second node, which imports what the first one receives."""
    folder = tmp_path / "other"
    folder.mkdir()
    upgrade(open_engine(sqlite_url(folder)))
    sessions = open_sessions(sqlite_url(folder))
    yield new_store(sessions, folder)
    sessions.kw["bind"].dispose()


def test_every_shared_object_arrives_by_c_store_or_has_the_reason_why_no_one_can_send_it(
    any_sessions: Sessions, other: Store, tmp_path: Path
) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared test objects are not here")
    store = new_store(any_sessions, tmp_path / "node")
    (tmp_path / "node").mkdir()
    found = list(objects())
    unsendable = {ds.path: why_not_sendable(ds) for ds in found if why_not_sendable(ds)}
    sendable = [ds for ds in found if ds.path not in unsendable]
    statuses: dict[str, int] = {}
    with receiving(store) as receiver:
        for ds in sendable:
            contexts = [(ds.sop_class_uid, [ds.transfer_syntax_uid])]
            with associated(receiver.port, contexts) as assoc:
                assert assoc.is_established, f"{ds.path.name}: {ds.sop_class_uid} in {ds.transfer_syntax_uid}"
                statuses[ds.path.name] = c_store(assoc, ds, assoc.accepted_contexts[0].context_id)
    assert {name: status for name, status in statuses.items() if status != 0x0000} == {}
    print(f"{len(sendable)} sent, {len(unsendable)} cannot be:")
    for path, reason in unsendable.items():
        print(f"  {path.name}: {reason}")

    refused: list[Path] = []
    import_paths(store, list(unsendable), lambda *a, **k: None, lambda path, reason: refused.append(path))
    assert refused == []
    import_paths(other, [ds.path for ds in found], lambda *a, **k: None, lambda path, reason: refused.append(path))
    assert refused == []
    assert kept(store) == kept(other)
    with reading(store.sessions) as session:
        for row in session.scalars(select(Instance)):
            content = store.files.path(row.file_name).read_bytes()
            assert content.endswith(content[read_part10(content).data_set_at :])
            assert len(content[read_part10(content).data_set_at :]) == row.size_bytes
