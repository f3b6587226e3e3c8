"""The node as a caller of DICOMweb: STOW-RS to a peer (PS3.18 10.5), and whether it is there. Shell; `read` is pure.

httpx2 makes one request of which we read the whole answer: the clients for DICOMweb raise at a 409 before they look
into it, and there stands why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from pydicom import dcmread

from db.errors import ConfigError, PeerError
from dicom_node.config import Peer
from dicom_node.scu import CLASS_NOT_SUPPORTED, TIMEOUT_S, ClassRefused, PeerAway, Stored, words_of

JSON = "application/dicom+json"

# Of the response module, PS3.18 table 10.5.3-2
REFERENCED, FAILED = "00081199", "00081198"
INSTANCE, WARNING_REASON, FAILURE_REASON = "00081155", "00081196", "00081197"

AWAY = {
    401: "it does not let us in; check dicomweb_token_file",
    403: "it does not let us in; check dicomweb_token_file",
    404: "there is no such service; check dicomweb_url",
    408: "it waited too long for us",
    429: "too many requests",
}
"""What says nothing of the object; every 5xx is another."""

REFUSED = {
    400: "it cannot read the request",
    409: "it did not store the object",
    413: "the object is too large for it",
    415: "it takes no DICOM objects there",
}


def store(peer: Peer, path: Path, sop_class_uid: str) -> Stored:
    """Send one Part 10 file; the peer's answer. A warning is a success (PS3.18 10.5.3).

    Raises PeerAway, ClassRefused, or PeerError with the reason that it gave.
    """
    sop_instance_uid = str(dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
    boundary = uuid4().hex
    part = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": JSON,
        **_authorization(peer),
    }
    body = part + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    response = _request(peer, "POST", "/studies", content=body, headers=headers)
    return read(peer, response.status_code, response.content, sop_instance_uid, sop_class_uid)


def ask(peer: Peer) -> str:
    """Whether the peer's DICOMweb service is there and lets us in, by a search for one study (QIDO-RS, PS3.18 10.6).

    Raises PeerError.
    """
    headers = {"Accept": JSON, **_authorization(peer)}
    status = _request(peer, "GET", "/studies?limit=1", headers=headers).status_code
    if status not in (200, 204):
        reason = AWAY.get(status, "a failure")
        raise PeerError(f"the peer answered DICOMweb with {status}: {reason}", peer=peer.name)
    return "answered DICOMweb with Success"


def _request(peer: Peer, method: str, path: str, **more: Any) -> httpx2.Response:
    url = f"{peer.dicomweb_url.rstrip('/')}{path}"
    try:
        return httpx2.request(method, url, timeout=TIMEOUT_S, **more)
    except httpx2.TimeoutException as error:
        raise PeerAway(f"the peer did not answer DICOMweb within {TIMEOUT_S:.0f} s", peer=peer.name) from error
    except httpx2.HTTPError as error:
        raise PeerAway("the peer cannot be reached by DICOMweb", peer=peer.name, error=type(error).__name__) from error


def _authorization(peer: Peer) -> dict[str, str]:
    if peer.dicomweb_token_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {peer.dicomweb_token_file.read_text().strip()}"}
    except OSError as error:
        raise ConfigError(f"dicomweb_token_file cannot be read: {error.strerror}", peer=peer.name) from error


def read(peer: Peer, status: int, content: bytes, sop_instance_uid: str, sop_class_uid: str) -> Stored:
    """What an answer says of the one object that was sent. Pure; raises as `store` does."""
    if status in AWAY or status >= 500:
        raise PeerAway(f"the peer answered STOW-RS with {status}: {AWAY.get(status, 'it failed')}", peer=peer.name)
    answer = _parsed(content)
    failed = _reason(answer, FAILED, FAILURE_REASON, sop_instance_uid)
    if failed is not None:
        text = f"the peer answered STOW-RS with {status} and 0x{failed:04X}: {words_of(failed)}"
        if failed == CLASS_NOT_SUPPORTED:
            raise ClassRefused(text, peer=peer.name, sop_class=sop_class_uid)
        raise PeerError(text, peer=peer.name)
    named = _reason(answer, REFERENCED, WARNING_REASON, sop_instance_uid)
    if status == 200 or (status == 202 and named is not None):
        return Stored(f"stored with warning 0x{named:04X}" if named else "Success")
    if status == 202:
        raise PeerError("the peer answered STOW-RS with 202 and does not name the object as stored", peer=peer.name)
    raise PeerError(f"the peer answered STOW-RS with {status}: {REFUSED.get(status, 'a failure')}", peer=peer.name)


def _parsed(content: bytes) -> dict[str, Any]:
    """The response module; empty where the peer sent none that can be read."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    if isinstance(found, list):
        found = found[0] if found else {}
    return found if isinstance(found, dict) else {}


def _reason(answer: dict[str, Any], sequence: str, keyword: str, sop_instance_uid: str) -> int | None:
    """The reason that a sequence gives for the object, 0 where it gives none; None if it does not name the object."""
    for item in _values(answer, sequence):
        if isinstance(item, dict) and sop_instance_uid in _values(item, INSTANCE):
            return next((reason for reason in _values(item, keyword) if isinstance(reason, int)), 0)
    return None


def _values(item: dict[str, Any], tag: str) -> Iterator[Any]:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    yield from values if isinstance(values, list) else ()
