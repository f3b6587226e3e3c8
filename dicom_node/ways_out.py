"""One door to a peer, whichever way its results go: by an association or by DICOMweb. Shell."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from dicom_node import scu, stow
from dicom_node.config import Peer


def send(peer: Peer, our_ae_title: str, path: Path, sop_class_uid: str) -> scu.Stored:
    """Send one Part 10 file; the peer's answer. Raises PeerAway, ClassRefused, or PeerError with its reason."""
    if peer.send_by == "stow-rs":
        return stow.store(peer, path, sop_class_uid)
    header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    return scu.store(peer, our_ae_title, path, sop_class_uid, str(header.file_meta.TransferSyntaxUID))


def reach(peer: Peer, our_ae_title: str) -> str:
    """Ask whether a peer is there and lets us in; the answer in words. Raises PeerError."""
    return stow.ask(peer) if peer.send_by == "stow-rs" else scu.echo(peer, our_ae_title)
