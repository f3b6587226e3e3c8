"""The file store as a child process sees it: the data directory it was given. Shell."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A `db.files.FileStore` on a folder of this machine; folders 0700, files 0600."""

    data_dir: Path

    def path(self, name: str) -> Path:
        return self.data_dir / name

    def write(self, name: str, content: bytes) -> None:
        """Keep the content under the name; durable when it returns. The same name again replaces it."""
        final = self.path(name)
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = final.with_name(f".{uuid4().hex}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)  # there is none left after the rename
