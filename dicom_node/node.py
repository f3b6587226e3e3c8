"""What every part of a running node needs, opened once. Shell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.engine import Sessions
from db.uids import uid_from
from dicom_node.config import Config
from dicom_node.database import open_checked
from dicom_node.store import LocalFiles


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
        """Of this node as the device that observes (PS3.16 TID 1004)."""
        return uid_from("device", self.config.dicom.ae_title, self.config.data_dir)

    @property
    def locks(self) -> Path:
        return self.config.data_dir / "locks"
