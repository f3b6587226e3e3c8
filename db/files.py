"""The protocol of the file store: where bytes lie, by name. Pure.

A name is a relative POSIX path made of checked UIDs and hashes. `db.local_files` keeps the files of one machine; an
object store would do the same.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class FileStore(Protocol):
    """Durable bytes by name."""

    def path(self, name: str) -> Path:
        """A local path that can be read."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Keep the content under the name; durable when it returns. The same name again replaces it."""
        ...


def is_valid_uid(uid: str) -> bool:
    """Whether a UID obeys PS3.5 9.1 closely enough to stand in a path: digits and dots, 64 at most."""
    return len(uid) <= 64 and _UID.fullmatch(uid) is not None


def name_part(uid: str) -> str:
    """A UID as a part of a path: itself where it is valid, else a hash of it, so that nothing foreign enters."""
    return uid if is_valid_uid(uid) else "x" + hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def instance_name(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str, content_sha256: str) -> str:
    """Where one received content of one instance lies; two contents under one UID have two names."""
    parts = (study_instance_uid, series_instance_uid, f"{name_part(sop_instance_uid)}-{content_sha256[:16]}.dcm")
    return f"dicom/{name_part(parts[0])}/{name_part(parts[1])}/{parts[2]}"
