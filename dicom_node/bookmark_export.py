"""A CSV file of bookmarks → its rows by study, with no more than one study in memory. Shell.

Promise: a row that cannot be used costs itself. Rows may stand in any order, so they are sorted by study in a
temporary database on disk; another order of the same rows gives the same objects.
"""

from __future__ import annotations

import codecs
import csv
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO, TextIO

from pydicom.dataset import Dataset

from db.errors import ContentError, StorageFull
from dicom_node.wrapping import wrap_bookmarks
from mining.readers.bookmarks import MAX_ROWS, meanings_of, separator_in
from mining.readers.encapsulated import MAX_BYTES
from mining.settings import BookmarkColumns
from mining.written import moment_in

MAX_LINE = 64 << 10
"""Characters of a line; an outline of a thousand points has a fourth of it."""

MAX_LINES_OF_ROW = 20
"""A quoted cell may hold so many line feeds."""

OnLine = Callable[[int, str], None]
"""Gets the number of each line, from 1, that was not taken, and why."""

StudyOf = Callable[[str, str], str]
"""(SOP Instance UID, Series Instance UID) → Study Instance UID; empty where neither is here."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    text: str
    cells: list[str]


def objects_of(path: Path, columns: BookmarkColumns, study_of: StudyOf, on_line: OnLine) -> Iterator[Dataset]:
    """One object for each study that the file is about, more for one of very many rows.

    study_of: asked for rows that name no study. Raises ContentError if the file lacks what the site's table names.
    """
    with path.open("rb") as raw:
        encoding = encoding_of(raw)
    with path.open("r", encoding=encoding, errors="replace") as file:
        lines = _lines(file, on_line)
        header, delimiter = _header(lines, columns)
        meanings = meanings_of(header.cells, columns)
        _check(meanings, columns)
        with closing(sqlite3.connect("")) as spool:  # a file without a name, which goes with the connection
            try:
                _fill(spool, _rows(lines, delimiter, len(header.cells), on_line), meanings, study_of, on_line)
                yield from _objects(spool, header.text, delimiter, on_line)
            except sqlite3.OperationalError as error:
                raise StorageFull(f"the rows cannot be sorted where temporary files lie: {error}") from error


def encoding_of(raw: BinaryIO) -> str:
    """By the byte order mark, else UTF-8 if all of it is, else the Windows form of Latin-1."""
    start = raw.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(start) == 4 and start[1] == start[3] == 0:
        return "utf-16-le"
    raw.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := raw.read(1 << 20):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _check(meanings: Mapping[int, str], columns: BookmarkColumns) -> None:
    missing = sorted(name for name, meaning in columns.columns.items() if meaning not in meanings.values())
    if missing:
        raise ContentError(f"lacks columns that [harvest.bookmarks] names: {', '.join(missing)}")


# --- lines and rows ---------------------------------------------------------------------------------------------


def _lines(file: TextIO, on_line: OnLine) -> Iterator[tuple[int, str]]:
    """Each line with its number and a line feed; one too long is refused and passed over."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith("\n"):
                line = file.readline(MAX_LINE + 1)
            on_line(number, f"the line is longer than {MAX_LINE} characters")
        elif line.strip():
            yield number, line if line.endswith("\n") else f"{line}\n"


def _header(lines: Iterator[tuple[int, str]], columns: BookmarkColumns) -> tuple[_Row, str]:
    delimiter = columns.delimiter
    for number, text in lines:
        if separator := separator_in(text):
            delimiter = separator
            continue
        return _Row(number, text, next(csv.reader([text], delimiter=delimiter))), delimiter
    raise ContentError("is empty")


def _rows(lines: Iterator[tuple[int, str]], delimiter: str, width: int, on_line: OnLine) -> Iterator[_Row]:
    """A row is the shortest run of lines whose quotation marks are balanced; if that gives no row, one line is lost."""
    ahead: list[tuple[int, str]] = []
    while True:
        if not ahead:
            ahead = list(islice(lines, 1))
            if not ahead:
                return
        taken = 1
        while _open(ahead[:taken]) and taken < MAX_LINES_OF_ROW:
            if taken == len(ahead):
                more = list(islice(lines, 1))
                if not more:
                    break
                ahead += more
            taken += 1
        row = None if _open(ahead[:taken]) else _row(ahead[:taken], delimiter)
        if row is not None and len(row.cells) == width:
            yield row
            ahead = ahead[taken:]
            continue
        if _open(ahead[:1]):
            on_line(ahead[0][0], "a quotation mark is not closed")
        else:
            cells = 0 if row is None else len(row.cells)
            on_line(ahead[0][0], f"the row has {cells} cells, and the file names {width} columns")
        ahead = ahead[1:]


def _open(lines: list[tuple[int, str]]) -> bool:
    return sum(text.count('"') for _, text in lines) % 2 == 1


def _row(lines: list[tuple[int, str]], delimiter: str) -> _Row | None:
    texts = [text for _, text in lines]
    try:
        parsed = list(csv.reader(texts, delimiter=delimiter))
    except csv.Error:
        return None
    return _Row(lines[0][0], "".join(texts), parsed[0]) if len(parsed) == 1 else None


# --- by study ---------------------------------------------------------------------------------------------------


def _fill(
    spool: sqlite3.Connection, rows: Iterator[_Row], meanings: Mapping[int, str], study_of: StudyOf, on_line: OnLine
) -> None:
    spool.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;"
        "CREATE TABLE bookmark (study TEXT, line INTEGER, row TEXT, measured_at TEXT)"
    )
    at = {meaning: position for position, meaning in meanings.items()}

    def cell(row: _Row, meaning: str) -> str:
        return row.cells[at[meaning]].strip() if meaning in at else ""

    def placed() -> Iterator[tuple[str, int, str, str]]:
        for row in rows:
            study = cell(row, "study") or study_of(cell(row, "image"), cell(row, "series"))
            if not study:
                on_line(row.line, "the row names no study, and its image is not here; send the images first")
                continue
            measured = moment_in(cell(row, "measured_at")) if cell(row, "measured_at") else None
            yield study, row.line, row.text, "" if measured is None else measured.isoformat()

    spool.executemany("INSERT INTO bookmark VALUES (?, ?, ?, ?)", placed())


def _objects(spool: sqlite3.Connection, header: str, delimiter: str, on_line: OnLine) -> Iterator[Dataset]:
    sorted_rows = spool.execute("SELECT study, line, row, measured_at FROM bookmark ORDER BY study, row, line")
    for study, rows in groupby(sorted_rows, key=lambda row: str(row[0])):
        for part in _parts(rows):
            latest = max(measured for _, _, _, measured in part)
            content_at = datetime.fromisoformat(latest) if latest else None
            try:
                yield wrap_bookmarks(study, header, [row for _, _, row, _ in part], delimiter, content_at)
            except ContentError as error:
                for _, line, _, _ in part:
                    on_line(line, str(error))


def _parts(rows: Iterator[tuple[str, int, str, str]]) -> Iterator[list[tuple[str, int, str, str]]]:
    """As many rows as one object may hold, in order."""
    part: list[tuple[str, int, str, str]] = []
    size = 0
    for row in rows:
        length = 4 * len(row[2])
        if part and (len(part) == MAX_ROWS or size + length > MAX_BYTES - 2 * 4 * MAX_LINE):
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part
