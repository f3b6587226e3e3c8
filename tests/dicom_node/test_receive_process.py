"""The receiving process, killed and stopped: what was answered with Success stays, whatever happens then."""

import gc
import hashlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from arriving import associated, ct, encoded, with_meta
from node_process import NODE, SENDER, NodeProcess, accepts, is_free, is_running, wait_until
from phantom_studies import small_study
from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import select

from db.engine import open_sessions, reading, sqlite_url
from db.models import Instance
from dicom_node.part10 import read_part10

pytestmark = pytest.mark.slow

CT_CONTEXT = (CTImageStorage, [ExplicitVRLittleEndian])


@pytest.fixture
def node(tmp_path: Path, any_url: str) -> Iterator[NodeProcess]:
    made = NodeProcess(tmp_path, any_url)
    yield made
    made.end()


@pytest.fixture
def instances(any_url: str) -> Iterator[Callable[[], list[Instance]]]:
    """The rows of the instances, whenever they are asked for."""
    sessions = open_sessions(any_url)

    def read() -> list[Instance]:
        with reading(sessions) as session:
            return list(session.scalars(select(Instance)))

    yield read
    sessions.kw["bind"].dispose()


def phantom_cts() -> list[Dataset]:
    return [image for index in range(5) for image in small_study(index).images]


def send(port: int, objects: Sequence[Dataset], answered: list[str], timeout_s: float = 20) -> None:
    """Send over one association; notes the UID of each object that was answered with Success, until the end."""
    with associated(port, [CT_CONTEXT], SENDER, NODE) as assoc:
        assoc.dimse_timeout = timeout_s
        for ds in objects:
            if not assoc.is_established:
                return
            status = assoc.send_c_store(ds)
            if status and status.Status == 0x0000:
                answered.append(ds.SOPInstanceUID)


def assert_whole(node: NodeProcess, rows: Sequence[Instance], sent: Sequence[Dataset]) -> None:
    """Each row has a file with the very bytes that were sent."""
    data_sets = {ds.SOPInstanceUID: encoded(ds) for ds in sent}
    for row in rows:
        content = (node.data_dir / row.file_name).read_bytes()
        data_set = content[read_part10(content).data_set_at :]
        assert data_set == data_sets[row.sop_instance_uid]
        assert hashlib.sha256(data_set).hexdigest() == row.content_sha256


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("killed_after", [1, 41])
def test_what_was_answered_before_a_kill_is_there_and_the_rest_goes_in_after_a_restart(
    node: NodeProcess, instances: Callable[[], list[Instance]], killed_after: int
) -> None:
    sent = phantom_cts()
    assert len(sent) >= 60
    answered: list[str] = []
    node.start()
    sending = threading.Thread(target=send, args=(node.port, sent, answered, 3))
    sending.start()
    wait_until(lambda: len(answered) >= killed_after, 60, f"{killed_after} instances are answered")
    node.send(signal.SIGKILL)
    node.wait()
    sending.join(60)
    gc.collect()  # pynetdicom leaves the socket of a broken connection to the garbage collector
    assert killed_after <= len(answered) < len(sent)
    rows = instances()
    assert set(answered) <= {row.sop_instance_uid for row in rows}
    assert len(rows) <= len(answered) + 1, "only the one under way may be there without its answer"
    assert_whole(node, rows, sent)

    again: list[str] = []
    node.start()
    send(node.port, sent, again)
    assert again == [ds.SOPInstanceUID for ds in sent]
    rows = instances()
    assert sorted(row.sop_instance_uid for row in rows) == sorted(again)
    assert {row.state for row in rows} == {"current"}
    assert_whole(node, rows, sent)
    kept = {path.relative_to(node.data_dir).as_posix() for path in node.data_dir.rglob("*.dcm")}
    assert kept == {row.file_name for row in rows}


def test_sigterm_lets_an_open_association_end_and_takes_no_new_one(
    node: NodeProcess, instances: Callable[[], list[Instance]]
) -> None:
    node.start()
    with associated(node.port, [CT_CONTEXT], SENDER, NODE) as assoc:
        assert assoc.send_c_store(with_meta(ct(1))).Status == 0x0000
        node.send(signal.SIGTERM)
        wait_until(lambda: not accepts(node.port), 10, "no new association is taken")
        assert assoc.send_c_store(with_meta(ct(2))).Status == 0x0000
        assert node.process is not None
        assert node.process.poll() is None
        assoc.release()
    assert node.wait(20) == 0
    assert len(instances()) == 2
    assert "association of PACS ended: instances=2" in node.log


def test_a_caller_that_says_nothing_does_not_hold_up_the_end(node: NodeProcess) -> None:
    node.start()
    with socket.create_connection(("127.0.0.1", node.port)):
        send(node.port, [], [])  # connections are taken in order: the first one is, too
        node.send(signal.SIGTERM)
        assert node.wait(15) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_ports_are_free_soon_after_the_supervisor_is_killed(tmp_path: Path, database_url: str) -> None:
    node = NodeProcess(tmp_path, database_url)
    node.start("all")
    pids = node.role_pids
    try:
        assert len(pids) == 3
        with associated(node.port, [CT_CONTEXT], SENDER, NODE) as assoc:
            assert assoc.send_c_store(with_meta(ct(1))).Status == 0x0000
            node.send(signal.SIGKILL)
            node.wait()
            for port in (node.port, node.web_port):
                wait_until(lambda at=port: is_free(at), 5, "the port is free")  # type: ignore[misc]
        gc.collect()
        wait_until(lambda: not any(is_running(pid) for pid in pids), 10, "every role has ended")
    finally:
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGKILL)


def test_a_role_that_is_killed_is_started_again(tmp_path: Path, database_url: str) -> None:
    node = NodeProcess(tmp_path, database_url)
    node.start("all")
    try:
        receive = node.role_pids[0]
        os.kill(receive, signal.SIGKILL)
        wait_until(lambda: len(node.role_pids) == 4, 10, "the role is started again")
        wait_until(lambda: accepts(node.port), 30, "it listens again")
        answered: list[str] = []
        send(node.port, [with_meta(ct(1))], answered)
        assert answered == [ct(1).SOPInstanceUID]
    finally:
        node.end()
    assert not any(is_running(pid) for pid in node.role_pids)


def test_receiving_300_instances_takes_no_more_memory_than_receiving_60(
    node: NodeProcess, instances: Callable[[], list[Instance]]
) -> None:
    sent = [_renamed(ds, number) for number, ds in enumerate((phantom_cts() * 7)[:300])]
    node.start()
    peaks = []
    for at in range(0, 300, 60):
        answered: list[str] = []
        send(node.port, sent[at : at + 60], answered)
        assert len(answered) == 60
        peaks.append(node.peak_memory_bytes())
    assert len(instances()) == 300
    print("peak memory in MB after each 60 instances:", [round(peak / 1e6, 1) for peak in peaks])
    assert peaks[-1] - peaks[0] < 20e6, peaks


def _renamed(ds: Dataset, number: int) -> Dataset:
    """Another instance with the same pixels."""
    other = deepcopy(ds)
    other.SOPInstanceUID = f"1.2.826.0.1.3680043.10.8.{number}"
    return other


def test_receiving_and_the_worker_have_no_torch_in_memory_and_receiving_stays_small(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, sqlite_url(tmp_path / "data"))
    try:
        for role in ("receive", "all"):
            node.start(role)
            assert node.process is not None
            send(node.port, phantom_cts(), [])
            pids = [node.process.pid] if role == "receive" else node.role_pids
            loaded = [Path(f"/proc/{pid}/maps").read_text() for pid in pids]
            assert len(loaded) == (1 if role == "receive" else 3)
            assert not any("libtorch" in maps for maps in loaded)
            if role == "receive":
                assert node.peak_memory_bytes() < 150e6
            node.send(signal.SIGTERM)
            node.wait()
    finally:
        node.end()
