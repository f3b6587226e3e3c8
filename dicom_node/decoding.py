"""Pixels that somebody sent, decoded where a decoder that aborts ends nothing of ours (`mining.decoding`). Shell."""

from __future__ import annotations

import logging
import os
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from db.errors import ContentError
from dicom_node.part10 import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from dicom_node.processes import ChildFailed, Event, run_child
from mining.pixels import Hu
from mining.volume import load_image

log = logging.getLogger(__name__)

CHILD = "mining.decoding"

NATIVE = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE)
"""Pixels that no decoder touches (PS3.5 A.1 to A.3)."""


def digests(contents: Sequence[tuple[Path, str]]) -> list[str]:
    """What each content shows (`mining.sameness`), given its file and the hash of its bytes.

    The hash stands in for a content that cannot be decoded, or that ends the process which tries. Raises OSError where
    a file cannot be read, ChildFailed where the process ends before it begins.
    """
    found: list[str] = []
    while len(found) < len(contents):
        found += _digests(contents[len(found) :])
    return found


def _digests(contents: Sequence[tuple[Path, str]]) -> list[str]:
    """Those of the first contents: up to and with the first that ends the process."""
    events: list[Event] = []
    order = {"contents": [(str(path), content_sha256) for path, content_sha256 in contents]}
    try:
        errno = run_child(CHILD, order, events.append).get("errno")
    except ChildFailed:
        if not events:
            raise
        found = [event["digest"] for event in events[1:]]
        for path, content_sha256 in contents[len(found) : len(found) + 1]:
            log.warning("file=%s cannot be compared, for it ends the process that decodes it", path.name)
            found.append(content_sha256)
        return found
    if errno is not None:
        raise OSError(errno, os.strerror(errno))
    return [event["digest"] for event in events[1:]]


def image_hu(path: Path, transfer_syntax_uid: str, frame_number: int) -> Hu:
    """One image, (H, W) HU, as `mining.volume.load_image`; frame_number counts from 1.

    Raises FileNotFoundError; ContentError where there are no Hounsfield units, or no decoder survives the pixels.
    """
    if transfer_syntax_uid in NATIVE:
        return load_image(path, frame_number)
    path.stat()
    try:
        outcome = run_child(CHILD, {"path": str(path), "frame_number": frame_number})
    except ChildFailed as error:
        raise ContentError("the pixels cannot be decoded", file=path.name, because=error.message) from error
    hu: Hu = np.frombuffer(b64decode(outcome["hu"]), "<i2").reshape(outcome["shape"])
    return hu
