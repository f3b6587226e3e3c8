"""Files and folders → the same store as C-STORE. Shell.

Promise: each file is kept, had already, or ends in one line with its reason; one file at a time is in memory, of a CSV
file one study at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select

from db.engine import reading, utc_now
from db.errors import ContentError
from db.models import Instance
from dicom_node.bookmark_export import objects_of
from dicom_node.part10 import looks_like_data_set, read_part10
from dicom_node.store import Received, Store
from dicom_node.wrapping import received, wrap_aim
from mining.readers.encapsulated import MAX_BYTES
from mining.settings import BookmarkColumns

Progress = Callable[..., None]
"""Called as (step, done, total, **figures)."""

OnRefused = Callable[[Path, str], None]
"""Gets each file that was not taken, and the reason as a sentence; of a CSV file each line."""

_LONGEST_START = 148
"""Preamble, prefix and the first element: enough to tell a DICOM file."""

MAX_LINES_TOLD = 1_000
"""Of one CSV file; of a file with other columns than the site's every line is wrong."""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """stored: new; known: the same content was here already; refused: not taken, each with a line.

    A file is one object; a CSV file is one for each study, and each row that is refused counts.
    """

    stored: int = 0
    known: int = 0
    refused: int = 0

    @property
    def files(self) -> int:
        return self.stored + self.known + self.refused


def import_paths(
    store: Store,
    paths: Sequence[Path],
    progress: Progress,
    on_refused: OnRefused,
    bookmarks: BookmarkColumns | None = None,
) -> ImportCounts:
    """Keep every DICOM file, AIM document and CSV file of bookmarks among the paths and below them; again, and nothing
    is added.

    bookmarks: how the site's CSV files are read; without it they are refused.
    Raises StorageFull when the disk is; what was kept until then stays, and the same import again goes on from there.
    """
    total = sum(1 for _ in files_below(paths))
    stored = known = refused = 0
    for done, path in enumerate(files_below(paths), start=1):
        told = _Refusals(path, on_refused)
        try:
            for one in received_from(store, path, bookmarks, told.line):
                new = store.keep(one, utc_now()).new
                stored, known = stored + new, known + (not new)
        except (ContentError, OSError) as error:
            told.file(error.strerror or "cannot be read" if isinstance(error, OSError) else str(error))
        told.end()
        refused += told.count
        progress("import", done, total, stored=stored, known=known, refused=refused)
    return ImportCounts(stored, known, refused)


def import_file(store: Store, path: Path) -> bool:
    """Keep one file, no CSV; whether its content is new. Raises ContentError if it is nothing that can be kept."""
    (one,) = received_from(store, path, None, lambda number, why: None)
    return store.keep(one, utc_now()).new


class _Refusals:
    """What was not taken of one file."""

    def __init__(self, path: Path, on_refused: OnRefused) -> None:
        self.count = 0
        self._path = path
        self._on_refused = on_refused

    def file(self, reason: str) -> None:
        self.count += 1
        self._on_refused(self._path, reason)

    def line(self, number: int, reason: str) -> None:
        self.count += 1
        if self.count <= MAX_LINES_TOLD:
            self._on_refused(self._path, f"line {number}: {reason}")

    def end(self) -> None:
        if self.count > MAX_LINES_TOLD:
            self._on_refused(self._path, f"and {self.count - MAX_LINES_TOLD} more lines")


def received_from(
    store: Store, path: Path, bookmarks: BookmarkColumns | None, on_line: Callable[[int, str], None]
) -> Iterator[Received]:
    """What one file holds, as the store takes it. Raises ContentError if it is nothing that can be kept."""
    with path.open("rb") as file:
        start = file.read(_LONGEST_START)
        if start[128:132] == b"DICM" or looks_like_data_set(start):
            yield _of_part10(start + file.read())
            return
        if path.suffix.lower() == ".xml" or start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml"):
            yield received(wrap_aim(start + file.read(MAX_BYTES)))
            return
    if not start:
        raise ContentError("is empty")
    if path.suffix.lower() not in (".csv", ".tsv"):
        raise ContentError("is not a DICOM file")
    if bookmarks is None:
        raise ContentError("is a CSV file; say what its columns mean under [harvest.bookmarks] in node.toml")
    for ds in objects_of(path, bookmarks, _study_of(store), on_line):
        yield received(ds)


def _of_part10(content: bytes) -> Received:
    part10 = read_part10(content)
    return Received(
        content[part10.data_set_at :],
        part10.transfer_syntax_uid,
        part10.sop_class_uid,
        part10.sop_instance_uid,
        binding=False,
    )


def _study_of(store: Store) -> Callable[[str, str], str]:
    """The study of an image, or else of a series, that is here; empty where neither is."""

    @lru_cache(maxsize=10_000)
    def study_of(sop_instance_uid: str, series_instance_uid: str) -> str:
        for column, uid in (
            (Instance.sop_instance_uid, sop_instance_uid),
            (Instance.series_instance_uid, series_instance_uid),
        ):
            if uid:
                with reading(store.sessions) as session:
                    query = select(Instance.study_instance_uid).where(column == uid).order_by(Instance.instance_pk)
                    found = session.scalars(query.limit(1)).first()
                if found is not None:
                    return found
        return ""

    return study_of


def files_below(paths: Sequence[Path]) -> Iterator[Path]:
    """Every file among the paths and below them, by name; links to folders are not followed."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))
