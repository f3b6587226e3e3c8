"""STOW-RS to a peer: what its answer says of the one object, against a scripted server and a real Orthanc."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from arriving import ct, with_meta
from node_process import free_port
from orthanc import running_orthanc
from outbox import Outbox
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import CTImageStorage

from db.engine import Sessions
from db.errors import ConfigError, PeerError
from dicom_node import scu, stow
from dicom_node.circuits import OPENS_AFTER
from dicom_node.config import Peer
from dicom_node.scu import ClassRefused, PeerAway
from dicom_node.store import LocalFiles
from dicom_node.ways_out import reach

UID = str(ct().SOPInstanceUID)


def about(sequence: str, reason_tag: str = "", reason: int = 0, uid: str = UID) -> bytes:
    """A response module (PS3.18 table 10.5.3-2) that names one object."""
    item: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}}
    if reason_tag:
        item[reason_tag] = {"vr": "US", "Value": [reason]}
    return json.dumps({sequence: {"vr": "SQ", "Value": [item]}}).encode()


STORED = about(stow.REFERENCED)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with_meta(ct()).save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    return tmp_path / "ct.dcm"


class Server:
    """Answers what it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.status, self.answer = 200, STORED
        self.hang: threading.Event | None = None
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0

    @property
    def peer(self) -> Peer:
        return Peer(name="Archive", ae_title="WEB", send_by="stow-rs", dicomweb_url=f"http://127.0.0.1:{self.port}/rs/")


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as there:
        yield there


@contextmanager
def running() -> Iterator[Server]:
    there = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            there.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            there.headers.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            if there.hang is not None:
                there.hang.wait(30)
            self.send_response(there.status)
            self.send_header("Content-Length", str(len(there.answer)))
            self.end_headers()
            self.wfile.write(there.answer)

        def log_message(self, *_: object) -> None:
            """Silent."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield there
    finally:
        http.shutdown()
        http.server_close()
        thread.join(10)


def send(there: Server, file: Path, **changes: object) -> str:
    return stow.store(there.peer.model_copy(update=changes), file, CTImageStorage).answer


def test_the_object_goes_as_one_part_with_the_token_and_its_answer_is_read(
    server: Server, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("secret\n")
    assert send(server, file, dicomweb_token_file=tmp_path / "token") == "Success"
    (headers,), (body,) = server.headers, server.bodies
    assert (headers["path"], headers["authorization"]) == ("/rs/studies", "Bearer secret")
    kind, media_type, boundary = headers["content-type"].split("; ")
    assert (kind, media_type) == ("multipart/related", 'type="application/dicom"')
    mark = f"--{boundary.removeprefix('boundary=')}".encode()
    empty, part, end = body.split(mark)
    assert (empty, end) == (b"", b"--\r\n")
    head, _, content = part.partition(b"\r\n\r\n")
    assert head == b"\r\nContent-Type: application/dicom"
    assert content.removesuffix(b"\r\n") == file.read_bytes()
    assert dcmread(DicomBytesIO(content)).SOPInstanceUID == UID


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, STORED, "Success"),
        (200, b"", "Success"),
        (200, b"[" + STORED + b"]", "Success"),
        (202, about(stow.REFERENCED, stow.WARNING_REASON, 0xB000), "stored with warning 0xB000"),
        (202, STORED, "Success"),
    ],
)
def test_what_it_took_is_a_success_with_its_warning(
    server: Server, file: Path, status: int, answer: bytes, said: str
) -> None:
    server.status, server.answer = status, answer
    assert send(server, file) == said


@pytest.mark.parametrize(
    ("status", "answer", "error", "said"),
    [
        (409, about(stow.FAILED, stow.FAILURE_REASON, 0xA900), PeerError, "409 and 0xA900: the data set does not"),
        (202, about(stow.FAILED, stow.FAILURE_REASON, 0xC122), PeerError, "202 and 0xC122: it cannot understand"),
        (200, about(stow.FAILED, stow.FAILURE_REASON, 0xA700), PeerError, "200 and 0xA700: out of resources"),
        (409, about(stow.FAILED, stow.FAILURE_REASON, 0x0122), ClassRefused, "0x0122: it does not support the SOP"),
        (409, about(stow.FAILED), PeerError, "409 and 0x0000: a failure"),
        (409, b"<html>", PeerError, "with 409: it did not store the object"),
        (202, about(stow.REFERENCED, uid="1.2.3"), PeerError, "202 and does not name the object"),
        (202, b"", PeerError, "202 and does not name the object"),
        (413, b"", PeerError, "with 413: the object is too large for it"),
        (415, b"", PeerError, "with 415: it takes no DICOM objects there"),
        (302, b"", PeerError, "with 302: a failure"),
        (401, b"", PeerAway, "with 401: it does not let us in; check dicomweb_token_file"),
        (404, b"", PeerAway, "with 404: there is no such service; check dicomweb_url"),
        (503, b"", PeerAway, "with 503: it failed"),
        (409, b'{"00081198": {"Value": [7, {"00081155": {"Value": null}}]}}', PeerError, "with 409"),
        (409, b'{"00081198": "nonsense"}', PeerError, "with 409"),
    ],
)  # fmt: skip
def test_what_it_did_not_take_says_why(
    server: Server, file: Path, status: int, answer: bytes, error: type[PeerError], said: str
) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(PeerError) as caught:
        send(server, file)
    assert type(caught.value) is error
    assert said in str(caught.value) and caught.value.facts["peer"] == "Archive"


def test_one_that_hangs_and_one_that_is_not_there_are_away(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow, "TIMEOUT_S", 0.5)
    server.hang = threading.Event()
    with pytest.raises(PeerAway, match="did not answer DICOMweb"):
        send(server, file)
    server.hang.set()
    with pytest.raises(PeerAway, match="cannot be reached by DICOMweb"):
        send(server, file, dicomweb_url=f"http://127.0.0.1:{free_port()}")


def test_a_token_file_that_is_not_there_is_the_configurations_fault(server: Server, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dicomweb_token_file cannot be read"):
        send(server, file, dicomweb_token_file=tmp_path / "nothing")
    assert server.bodies == []


def test_a_delivery_goes_by_the_way_of_its_destination(server: Server, sessions: Sessions, tmp_path: Path) -> None:
    outbox = Outbox(sessions, LocalFiles(tmp_path))
    pk, later = outbox.put("2.25.1"), outbox.put("2.25.2")
    server.answer = about(stow.REFERENCED, uid="2.25.1")
    assert outbox.deliver(pk, server.peer) == "Success"
    row = outbox.row(pk)
    assert (row.state, row.last_answer, row.next_commit_at) == ("delivered", "Success", None)
    server.status, server.answer = 503, b""
    for _ in range(OPENS_AFTER):
        with pytest.raises(PeerAway, match="503"):
            outbox.deliver(later, server.peer)
    assert outbox.deliver(later, server.peer).startswith("the destination is away (the peer answered STOW-RS with 503")


@pytest.mark.slow
def test_a_real_orthanc_takes_it_and_takes_it_again(tmp_path: Path, file: Path) -> None:
    with running_orthanc(tmp_path / "orthanc", "LESION_NODE", free_port(), dicom_web=True) as orthanc:
        url = f"http://127.0.0.1:{orthanc.http_port}/dicom-web"
        peer = Peer(name="Orthanc", ae_title="ORTHANC", send_by="stow-rs", dicomweb_url=url)
        assert stow.store(peer, file, CTImageStorage) == scu.Stored("Success")
        assert stow.store(peer, file, CTImageStorage) == scu.Stored("Success"), "the same again is the same object"
        assert dcmread(DicomBytesIO(orthanc.file(UID))).PixelData == ct().PixelData
        assert reach(peer, "LESION_NODE") == "answered DICOMweb with Success"
        wrong = peer.model_copy(update={"dicomweb_url": url + "/nothing"})
        with pytest.raises(PeerAway, match="404"):
            stow.store(wrong, file, CTImageStorage)
        with pytest.raises(PeerError, match="answered DICOMweb with 404: there is no such service; check dicomweb_url"):
            reach(wrong, "LESION_NODE")
