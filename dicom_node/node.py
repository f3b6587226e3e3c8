"""What every part of a running node needs, opened once. Shell."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from typing import Any

from db.engine import Sessions
from db.local_files import LocalFiles
from db.uids import uid_from
from dicom_node.config import Config
from dicom_node.database import open_checked

SITE_KEY = "site.key"


@dataclass(frozen=True, slots=True)
class Node:
    config: Config
    sessions: Sessions
    files: LocalFiles

    @classmethod
    def open(cls, config: Config) -> Node:
        """Raises DatabaseError if the database is not at this version's revision."""
        return cls(config, open_checked(config.url), LocalFiles(config.data_dir))

    def order(self, **more: Any) -> dict[str, Any]:
        """The order for a process of its own."""
        return {"database_url": self.config.url, "data_dir": str(self.config.data_dir), **more}

    @property
    def device_uid(self) -> str:
        """Of this node as the device that observes (PS3.16 TID 1004); it stays when data_dir is moved."""
        key = hashlib.sha256(self.site_key()).hexdigest()
        return uid_from("device", self.config.dicom.ae_title, key)

    def site_key(self) -> bytes:
        """The key of the patients' split, made once. Who loses it loses the split: it belongs into every backup."""
        path = self.config.data_dir / SITE_KEY
        if not path.exists():
            # Written aside and linked, so that of two processes one wins and neither reads half a key.
            aside = path.with_name(f".{SITE_KEY}.{os.getpid()}")
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
            aside.unlink()
        return path.read_bytes()
