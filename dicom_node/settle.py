"""A study that got quiet → its index, and one more revision of it. Pure decisions, then a shell around them.

Promise: a study leaves 'receiving' in one transaction that knows every instance which had arrived; one that arrives
meanwhile leaves it where it was, for the next round.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import groupby
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from db import lost, studies
from db.arrivals import add_refusal
from db.contents import (
    CURRENT,
    SETTLED,
    SUPERSEDED,
    Content,
    close_revision,
    contents_to_settle,
    lock_receiving,
    note_expected,
    set_states,
)
from db.engine import Sessions, reading
from db.errors import ContentError, StoreAway
from db.files import FileStore
from db.indexing import IndexedInstance, index
from dicom_node.decoding import digests
from dicom_node.duplicates import Candidate, resolve
from dicom_node.processes import ChildFailed
from mining.elements import UNREADABLE
from mining.headers import read_header

log = logging.getLogger(__name__)

LAST_SIMPLE_GROUP = 0x0028
"""Up to here a header has no content tree and no functional groups: what can be read of a document that is broken."""

PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, Double Float and plain Pixel Data."""

AskCount = Callable[[str, str], int | None]
"""(AE title that sent it, Study Instance UID) → how many instances it has there; None if that cannot be asked."""


class Decision(Enum):
    WAIT = "wait"
    SETTLE = "settle"
    INCOMPLETE = "incomplete"


def is_settled(last_received_at: datetime, now: datetime, quiet_for: timedelta) -> bool:
    """Whether nothing came for long enough. Pure."""
    return now - last_received_at >= quiet_for


def decide(last_received_at: datetime, now: datetime, quiet_for: timedelta, here: int, there: int | None) -> Decision:
    """What to do with a study of which `here` instances arrived, and the sender's PACS counts `there`. Pure.

    Too few: one more quiet time to wait, then it is settled as incomplete. Unknown there: quiet is enough.
    """
    if not is_settled(last_received_at, now, quiet_for):
        return Decision.WAIT
    if there is None or here >= there:
        return Decision.SETTLE
    waited_again = is_settled(last_received_at, now, 2 * quiet_for)
    return Decision.INCOMPLETE if waited_again else Decision.WAIT


@dataclass(frozen=True, slots=True)
class Settled:
    """A study after it settled: its revision, and what its settling found."""

    study_instance_uid: str
    revision: int
    complete: bool
    instances: int
    unreadable: int
    conflicts: int


def settle_due(
    sessions: Sessions,
    files: FileStore,
    now: datetime,
    quiet_for: timedelta,
    site_key: bytes,
    ask_count: AskCount,
    stuck: set[str],
) -> list[Settled]:
    """Settle every study that is due; those that wait for more, or that got more meanwhile, are not in the answer.

    stuck: the studies of which a file could not be read, kept by the caller from one call to the next, so that each
    is told once.
    """
    with reading(sessions) as session:
        due = studies.due_to_settle(session, now - quiet_for)
    settled = []
    for study in due:
        uid = study.study_instance_uid
        try:
            settled.append(settle_if_whole(sessions, files, study, now, quiet_for, site_key, ask_count))
        except (OSError, StoreAway, ChildFailed) as error:
            # The disk or the machine fails: this study waits until it is mended, and stops no other.
            if uid not in stuck:
                stuck.add(uid)
                because = error.strerror if isinstance(error, OSError) else error
                log.error("study=%s cannot settle, for a file cannot be read: %s", uid, because)
        else:
            if uid in stuck:
                stuck.remove(uid)
                log.warning("study=%s can be read again", uid)
    return [study for study in settled if study is not None]


def settle_if_whole(
    sessions: Sessions,
    files: FileStore,
    study: studies.Due,
    now: datetime,
    quiet_for: timedelta,
    site_key: bytes,
    ask_count: AskCount,
) -> Settled | None:
    """Settle one quiet study, unless its sender's PACS has more of it and it has not waited for them yet.

    The PACS is asked when the study gets quiet, and once more at the end of the wait.
    """
    waited_again = is_settled(study.received_last_at, now, 2 * quiet_for)
    there = study.expected_instances
    if there is None or waited_again:
        asked = ask_count(study.source_ae, study.study_instance_uid)
        there = asked if asked is not None else there
    decision = decide(study.received_last_at, now, quiet_for, study.instances, there)
    if decision is Decision.WAIT:
        if there != study.expected_instances:
            with sessions.begin() as session:
                note_expected(session, study.study_instance_uid, there)
        return None
    if decision is Decision.INCOMPLETE:
        log.warning("study=%s incomplete: %d of %d instances", study.study_instance_uid, study.instances, there)
    return settle_study(sessions, files, study.study_instance_uid, now, site_key, there)


def settle_study(
    sessions: Sessions,
    files: FileStore,
    study_instance_uid: str,
    now: datetime,
    site_key: bytes,
    expected: int | None = None,
) -> Settled | None:
    """Read the new headers, decide between duplicates, index, and settle: the state, the rows and the revision at once.

    expected: what the sender's PACS counts; with fewer here the study is 'incomplete'.
    Returns None, with nothing changed, if an instance arrived meanwhile or another process settled it.
    """
    with reading(sessions) as session:
        seen = contents_to_settle(session, study_instance_uid)
    gone = {c.instance_pk for c in lost.gone(files, filter(_is_in_question, seen))}
    states = _resolve_duplicates(files, seen, gone)
    count_here = [c for c in seen if c.study_instance_uid == study_instance_uid and states[c.instance_pk] == CURRENT]
    indexed, broken = read_headers(files, [c for c in count_here if c.new and c.instance_pk not in gone])
    with sessions.begin() as session:
        study = lock_receiving(session, study_instance_uid)
        if study is None or contents_to_settle(session, study_instance_uid) != seen:
            log.info("study=%s got more while it settled", study_instance_uid)
            return None
        set_states(session, study_instance_uid, seen, states)
        lost.note(session, [c for c in count_here if c.instance_pk in gone], now)
        lost.forget(session, [c.sop_instance_uid for c in count_here if c.instance_pk not in gone])
        for content, error in broken:
            add_refusal(session, content.source_ae, content.sop_instance_uid, "header", str(error), now)
        index(session, study, indexed, site_key)
        instances = close_revision(session, study, expected, now)
        settled = Settled(
            study_instance_uid,
            study.revision,
            study.state == SETTLED,
            instances,
            len(broken),
            len(studies.conflicts(session, study_instance_uid)),
        )
    log.info("settled study=%s revision=%d instances=%d", study_instance_uid, settled.revision, instances)
    return settled


def _is_in_question(content: Content) -> bool:
    """Whether a content may count: it is not superseded, or came again since it was."""
    return content.new or content.state != SUPERSEDED


def _resolve_duplicates(files: FileStore, contents: Sequence[Content], gone: Collection[int]) -> dict[int, str]:
    """The state of every content; only where several share a SOP Instance UID need their files be compared.

    gone: those without a file. One that is there replaces them, whatever its pixels: it was sent again.
    """
    states: dict[int, str] = {}
    groups: list[list[Content]] = []
    for _, group in groupby(contents, key=lambda content: content.sop_instance_uid):
        rivals = list(group)
        if any(_is_in_question(c) and c.instance_pk not in gone for c in rivals):
            states |= {c.instance_pk: SUPERSEDED for c in rivals if c.instance_pk in gone}
            rivals = [c for c in rivals if c.instance_pk not in gone]
        groups.append(rivals)
    contested = [c for rivals in groups if sum(map(_is_in_question, rivals)) > 1 for c in rivals if _is_in_question(c)]
    shown = _digests(files, [c for c in contested if c.instance_pk not in gone])
    for rivals in groups:
        states |= resolve(
            [Candidate(c.instance_pk, c.state, c.new, shown.get(c.instance_pk, c.content_sha256)) for c in rivals]
        )
    return states


def _digests(files: FileStore, contents: Sequence[Content]) -> dict[int, str]:
    found = digests([(files.path(content.file_name), content.content_sha256) for content in contents])
    return {content.instance_pk: digest for content, digest in zip(contents, found, strict=True)}


def read_headers(
    files: FileStore, contents: Iterable[Content]
) -> tuple[list[IndexedInstance], list[tuple[Content, ContentError]]]:
    """The headers in the order of arrival, and what could not be read, with the reason."""
    indexed, broken = [], []
    for content in sorted(contents, key=lambda content: (content.received_at, content.instance_pk)):
        try:
            header = read_header(open_header(files.path(content.file_name)))
        except ContentError as error:
            broken.append((content, error))
        else:
            indexed.append(IndexedInstance(content.sop_instance_uid, content.series_instance_uid, header))
    return indexed, broken


def open_header(path: Path) -> Dataset:
    """A stored data set without its pixels; of one that cannot be followed to its end, the part before any sequences.

    Raises ContentError if not even that can be read.
    """
    failure = "nothing stands in it"
    for stop_when in (_is_at_the_pixels, _is_behind_the_simple_part):
        try:
            with path.open("rb") as file:
                ds = read_partial(file, stop_when=stop_when)
        except (InvalidDicomError, zlib.error, *UNREADABLE) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk fails; without a number it is pydicom's own, for bytes that it cannot follow
            failure = type(error).__name__
            continue
        if len(ds):  # of a file that ends too early pydicom gives back nothing
            return ds
    raise ContentError("the header cannot be read", because=failure)


def _is_at_the_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in PIXEL_TAGS


def _is_behind_the_simple_part(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group > LAST_SIMPLE_GROUP
