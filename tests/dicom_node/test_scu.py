"""What the node says of a peer that it calls, against a real SCP."""

from pathlib import Path

import pytest
from arriving import ct, with_meta
from node_process import free_port
from peers import FIND, Script, scripted_peer
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from db.errors import PeerError
from dicom_node import scu
from dicom_node.config import Peer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with_meta(ct()).save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    return tmp_path / "ct.dcm"


def send(peer: Peer, file: Path) -> str:
    return scu.store(peer, "LESION_NODE", file, CTImageStorage, ExplicitVRLittleEndian).answer


def test_a_peer_that_is_there_answers_the_echo() -> None:
    with scripted_peer() as there:
        assert scu.echo(there.peer, "LESION_NODE") == "answered C-ECHO with Success"


def test_what_is_sent_arrives_as_it_is(file: Path) -> None:
    with scripted_peer() as there:
        assert send(there.peer, file) == "Success"
        (stored,) = there.script.stored
    assert (stored.SOPInstanceUID, stored.PixelData) == (ct().SOPInstanceUID, ct().PixelData)


def test_a_warning_is_a_success_that_is_told(file: Path) -> None:
    with scripted_peer(Script(stores=[0xB000])) as there:
        assert send(there.peer, file) == "stored with warning 0xB000"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA700, "out of resources"),
        (0xA7FE, "out of resources"),
        (0xA900, "the data set does not match the SOP class"),
        (0xC123, "it cannot understand the object"),
        (0x0122, "it does not support the SOP class"),
        (0x0124, "not authorised"),
        (0x0110, "a failure"),
    ],
)
def test_a_failure_says_the_status_and_what_it_means(file: Path, status: int, words: str) -> None:
    with scripted_peer(Script(stores=[status])) as there, pytest.raises(PeerError) as caught:
        send(there.peer, file)
    assert str(caught.value) == f"the peer answered C-STORE with 0x{status:04X}: {words} (peer=Archive)"


def test_a_peer_without_the_sop_class_is_told_from_one_that_rejects_us(file: Path) -> None:
    with scripted_peer(offers=[Verification]) as there, pytest.raises(PeerError) as caught:
        send(there.peer, file)
    assert str(caught.value).startswith("the peer does not accept this SOP class; allow it there or deliver another")
    assert caught.value.facts == {"peer": "Archive", "sop_class": CTImageStorage}


def test_a_peer_that_does_not_know_us_is_named_with_our_ae_title() -> None:
    with scripted_peer(knows=["SOMEBODY"]) as there, pytest.raises(PeerError) as caught:
        scu.echo(there.peer, "LESION_NODE")
    assert str(caught.value) == (
        "the peer rejected the association; check that it knows our AE title (peer=Archive, our_ae_title=LESION_NODE)"
    )


def test_an_echo_to_a_peer_that_offers_none_says_so() -> None:
    with scripted_peer(offers=[FIND]) as there, pytest.raises(PeerError, match="the peer offers no C-ECHO"):
        scu.echo(there.peer, "LESION_NODE")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom drops an unused socket
def test_a_peer_that_is_not_there_cannot_be_reached() -> None:
    peer = Peer(name="Archive", ae_title="ARCHIVE", port=free_port())
    with pytest.raises(PeerError) as caught:
        scu.echo(peer, "LESION_NODE")
    assert str(caught.value) == f"the peer cannot be reached (peer=Archive, address=127.0.0.1:{peer.port})"


@pytest.mark.parametrize("service", ["C-ECHO", "C-STORE"])
def test_a_peer_that_breaks_off_did_not_answer(file: Path, service: str) -> None:
    with scripted_peer(Script(abort=True)) as there, pytest.raises(PeerError, match=f"did not answer {service}"):
        scu.echo(there.peer, "LESION_NODE") if service == "C-ECHO" else send(there.peer, file)
