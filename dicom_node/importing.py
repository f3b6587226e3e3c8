"""Files and folders → the same store as C-STORE. Shell.

Promise: each file is kept, had already, or ends in one line with its reason; one file at a time is in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.engine import utc_now
from db.errors import ContentError
from dicom_node.part10 import looks_like_data_set, read_part10
from dicom_node.store import Received, Store

Progress = Callable[..., None]
"""Called as (step, done, total, **figures)."""

OnRefused = Callable[[Path, str], None]
"""Gets each file that was not taken, and the reason as a sentence."""

_LONGEST_START = 148
"""Preamble, prefix and the first element: enough to tell a DICOM file."""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """stored: new; known: the same content was here already; refused: not taken, each with a line."""

    stored: int = 0
    known: int = 0
    refused: int = 0

    @property
    def files(self) -> int:
        return self.stored + self.known + self.refused


def import_paths(store: Store, paths: Sequence[Path], progress: Progress, on_refused: OnRefused) -> ImportCounts:
    """Keep every DICOM file among the paths and below them; again, and nothing is added.

    Raises StorageFull when the disk is; what was kept until then stays, and the same import again goes on from there.
    """
    total = sum(1 for _ in files_below(paths))
    stored = known = refused = 0
    for done, path in enumerate(files_below(paths), start=1):
        try:
            new = import_file(store, path)
        except (ContentError, OSError) as error:
            refused += 1
            on_refused(path, error.strerror or "cannot be read" if isinstance(error, OSError) else str(error))
        else:
            stored, known = stored + new, known + (not new)
        progress("import", done, total, stored=stored, known=known, refused=refused)
    return ImportCounts(stored, known, refused)


def import_file(store: Store, path: Path) -> bool:
    """Keep one file; whether its content is new. Raises ContentError if it is no DICOM object that can be kept."""
    with path.open("rb") as file:
        start = file.read(_LONGEST_START)
        if start[128:132] != b"DICM" and not looks_like_data_set(start):
            raise ContentError("is empty" if not start else "is not a DICOM file")
        content = start + file.read()
    part10 = read_part10(content)
    received = Received(
        content[part10.data_set_at :],
        part10.transfer_syntax_uid,
        part10.sop_class_uid,
        part10.sop_instance_uid,
        binding=False,
    )
    return store.keep(received, utc_now()).new


def files_below(paths: Sequence[Path]) -> Iterator[Path]:
    """Every file among the paths and below them, by name; links to folders are not followed."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))
