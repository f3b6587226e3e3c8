"""Received data sets → durable files and rows. Shell.

Promise: when `Store.keep` returns, file and row survive a power cut; when it raises, nothing half-written is left.
The only place that writes received objects: C-STORE and import both come through here.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import astuple, dataclass
from datetime import datetime

from db import arrivals, lost
from db.engine import Sessions, reading
from db.errors import ContentError, StorageFull
from db.files import instance_name
from db.local_files import LocalFiles
from dicom_node.part10 import Identity, file_header, identify

log = logging.getLogger(__name__)

LONGEST_UID = 256
"""PS3.5 9.1 allows 64 characters, and archives go a little beyond; no index of a database takes any length."""


@dataclass(frozen=True, slots=True)
class Received:
    """One data set as it arrived, and what was said of it beside it (the command set, or the file meta information).

    sop_class_uid, sop_instance_uid: as stated beside it; empty where nothing was stated.
    source_ae: calling AE title; empty for an import. analyse: whether it came from a peer with `analyse = true`.
    binding: whether the data set must be what was stated, as a C-STORE must; a file's meta information may lag
    behind its data set, and only fills what is missing there.
    """

    data_set: bytes
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    source_ae: str = ""
    analyse: bool = False
    binding: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a data set went. `new` is False if the very same content was here already."""

    sop_instance_uid: str
    study_instance_uid: str
    file_name: str
    new: bool


class Store:
    """Keeps received data sets; used by many threads and processes at once."""

    def __init__(self, sessions: Sessions, files: LocalFiles, min_free_bytes: int = 0) -> None:
        self.sessions = sessions
        self.files = files
        self.min_free_bytes = min_free_bytes

    def keep(self, received: Received, now: datetime) -> Kept:
        """Make a data set durable, file first and row second, so that a row never points to nothing.

        Raises ContentError if it cannot be told which instance it is, if it contradicts what was said of it, or if one
        of its UIDs is too long;
        StorageFull if less than `min_free_bytes` would remain, before anything is written.
        """
        self._check_space(len(received.data_set))
        found = placed(received)
        content_sha256 = hashlib.sha256(received.data_set).hexdigest()
        name = instance_name(
            found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid, content_sha256
        )
        arrival = arrivals.Arrival(
            sop_instance_uid=found.sop_instance_uid,
            study_instance_uid=found.study_instance_uid,
            series_instance_uid=found.series_instance_uid,
            sop_class_uid=found.sop_class_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            content_sha256=content_sha256,
            file_name=name,
            size_bytes=len(received.data_set),
            source_ae=received.source_ae,
            analyse=received.analyse,
        )
        is_here = self._is_here(arrival)
        if not is_here:
            header = file_header(
                found.sop_class_uid, found.sop_instance_uid, received.transfer_syntax_uid, received.source_ae
            )
            self.files.write(name, header + received.data_set)
        with self.sessions.begin() as session:
            new = arrivals.add_instance(session, arrival, now)
            if not (new or is_here):
                lost.found_again(session, arrival.sop_instance_uid, arrival.file_name, now)
        log.debug(
            "%s sop_instance=%s study=%s bytes=%d",
            "stored" if new else "had already",
            found.sop_instance_uid,
            found.study_instance_uid,
            len(received.data_set),
        )
        return Kept(found.sop_instance_uid, found.study_instance_uid, name, new)

    def refuse(self, source: str, sop_instance_uid: str, error: ContentError, now: datetime) -> None:
        """List an object that was not taken, with the reason."""
        log.warning("refused sop_instance=%s from=%s: %s", sop_instance_uid, source, error)
        with self.sessions.begin() as session:
            arrivals.add_refusal(session, source, sop_instance_uid, "content", str(error), now)

    def _check_space(self, size_bytes: int) -> None:
        free = self.files.free_bytes()
        if free - size_bytes < self.min_free_bytes:
            raise StorageFull(free_bytes=free, size_bytes=size_bytes, min_free_bytes=self.min_free_bytes)

    def _is_here(self, arrival: arrivals.Arrival) -> bool:
        with reading(self.sessions) as session:
            known = arrivals.has_content(session, arrival.sop_instance_uid, arrival.content_sha256)
        return known and self.files.path(arrival.file_name).is_file()


def placed(received: Received) -> Identity:
    """The UIDs under which a data set is kept. Pure.

    What stands in the data set counts; what it lacks is taken from what was stated beside it. An object without
    a Study or Series Instance UID (a broken one, or one that belongs to no patient, as a hanging protocol) makes
    a study or series of its own, with a UID that is derived from its SOP Instance UID and so stays the same.
    Raises ContentError if either says something else than the other, if neither says what instance it is, or if a UID
    is longer than `LONGEST_UID`.
    """
    found = identify(received.data_set, received.transfer_syntax_uid)
    beside = (received.sop_class_uid, received.sop_instance_uid, received.transfer_syntax_uid)
    longest = max(map(len, (*astuple(found), *beside)))
    if longest > LONGEST_UID:
        raise ContentError("a UID is too long to be one", characters=longest, at_most=LONGEST_UID)
    for name, stated, inside in (
        ("SOP Class UID", received.sop_class_uid, found.sop_class_uid),
        ("SOP Instance UID", received.sop_instance_uid, found.sop_instance_uid),
    ):
        if received.binding and stated and inside and stated != inside:
            raise MismatchError(f"the {name} of the data set is not the one stated", stated=stated, inside=inside)
        if not (stated or inside):
            raise ContentError(f"there is no {name}")
    sop_instance_uid = found.sop_instance_uid or received.sop_instance_uid
    return Identity(
        found.sop_class_uid or received.sop_class_uid,
        sop_instance_uid,
        found.study_instance_uid or derived_uid("study", sop_instance_uid),
        found.series_instance_uid or derived_uid("series", sop_instance_uid),
    )


class MismatchError(ContentError):
    """The data set is not the object that it was announced as."""


def derived_uid(level: str, sop_instance_uid: str) -> str:
    """A UID that stands in for a missing one: the same for the same instance (PS3.5 B.2)."""
    digest = hashlib.sha256(f"{level}/{sop_instance_uid}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
