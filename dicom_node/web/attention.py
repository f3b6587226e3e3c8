"""What a person must know of or do, as sentences. Pure.

Whatever is hidden, waiting for a person or failed stands here once, with the way to it; the page shows it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

SILENT_AFTER = timedelta(minutes=2)
"""A process writes its heartbeat much more often than that."""


MISSED = {
    "receive": "nothing can be sent to this node",
    "work": "nothing is harvested, analysed or delivered",
}
"""What it means that no process of a role runs. The role web needs no word: it shows this page."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the node by its heartbeat."""

    executor_id: str
    role: str
    seen_at: datetime
    stopped: bool = False
    """It said at its end that it ends."""

    def is_silent(self, now: datetime) -> bool:
        return not self.stopped and now - self.seen_at > SILENT_AFTER

    def runs(self, now: datetime) -> bool:
        return not self.stopped and not self.is_silent(now)


@dataclass(frozen=True, slots=True)
class NodeState:
    """The counts that the sentences are made of."""

    free_bytes: int
    min_free_bytes: int
    studies_in_conflict: int = 0
    studies_incomplete: int = 0
    studies_failed: int = 0
    """Whose newest analysis failed."""
    studies_given_up: int = 0
    """Whose harvest or analysis ended without a result several times."""
    files_lost: int = 0
    """Stored instances whose file is gone."""
    readers_failed: int = 0
    """Objects on which a reader of ours raised an error."""
    held: int = 0
    dead: int = 0
    oldest_waiting_at: datetime | None = None
    failed_tasks: Sequence[tuple[str, str]] = ()
    """(kind, outcome) of each kind whose newest ended task failed."""
    gated_models: int = 0
    """Candidates newer than the promoted model."""
    processes: Sequence[Process] = ()
    open_circuits: Sequence[tuple[str, datetime]] = ()
    """(destination, since) of those to which nothing goes now, the longest first."""
    commitments_refused: int = 0
    """Answers on storage commitment that could not be given to the peer that asked."""
    results_stale: int = 0
    """Analyses of which a person changed the findings, and whose results could not be made anew."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence on the page. level: stop, warn or info."""

    level: str
    sentence: str
    link: str


def notices(state: NodeState, now: datetime) -> tuple[Notice, ...]:
    """Every sentence that is true now, the worst first; none on a healthy node that waits for nobody."""
    found = [
        *_disk(state),
        *_processes(state, now),
        *_failures(state),
        *_outbox(state, now),
        *_waiting_for_a_person(state),
    ]
    return tuple(sorted(found, key=lambda notice: ("stop", "warn", "info").index(notice.level)))


def _disk(state: NodeState) -> list[Notice]:
    free, least = in_gb(state.free_bytes), in_gb(state.min_free_bytes)
    if state.free_bytes < state.min_free_bytes:
        sentence = f"Only {free} GB are free, less than min_free_gb = {least}: what is sent to this node is refused."
        return [Notice("stop", sentence, "#refused")]
    if state.min_free_bytes and state.free_bytes < 1.5 * state.min_free_bytes:
        sentence = f"{free} GB are free; below min_free_gb = {least} this node refuses what is sent."
        return [Notice("warn", sentence, "#refused")]
    return []


def _processes(state: NodeState, now: datetime) -> list[Notice]:
    silent = [
        f"The {p.role} process {p.executor_id} has been silent since {p.seen_at:%Y-%m-%d %H:%M} UTC."
        for p in state.processes
        if p.is_silent(now)
    ]
    running = {p.role for p in state.processes if p.runs(now)}
    missed = [f"No {role} process runs: {means}." for role, means in MISSED.items() if role not in running]
    return [Notice("stop", sentence, "#jobs") for sentence in (*missed, *silent)]


def _failures(state: NodeState) -> list[Notice]:
    found = [
        Notice("warn", f"The last run of {kind} failed: {outcome or 'no reason was left'}", "#jobs")
        for kind, outcome in state.failed_tasks
    ]
    if state.studies_failed:
        sentence = f"The analysis of {_n(state.studies_failed, 'study', 'studies')} failed."
        found.append(Notice("warn", sentence, "/studies?show=failed"))
    if state.studies_given_up:
        sentence = f"{_n(state.studies_given_up, 'study was', 'studies were')} given up after several failed tries."
        found.append(Notice("warn", sentence, "/studies?show=given up"))
    if state.files_lost:
        sentence = f"The file of {_n(state.files_lost, 'stored object', 'stored objects')} is gone; send them again."
        found.append(Notice("stop", sentence, "/refusals?reason=lost"))
    if state.readers_failed:
        sentence = f"A reader failed on {_n(state.readers_failed, 'object', 'objects')}; the rest was harvested."
        found.append(Notice("warn", sentence, "/rejections?reason=reader_failed"))
    return found


def _outbox(state: NodeState, now: datetime) -> list[Notice]:
    """What does not arrive where it should."""
    found = []
    for destination, since in state.open_circuits:
        sentence = f"{destination} takes no results since {since:%Y-%m-%d %H:%M} UTC; it is tried now and then."
        found.append(Notice("warn", sentence, f"/destinations/{quote(destination, safe='')}"))
    if state.dead:
        sentence = f"{_n(state.dead, 'delivery was', 'deliveries were')} given up."
        found.append(Notice("warn", sentence, "/deliveries?state=dead"))
    if state.oldest_waiting_at and now - state.oldest_waiting_at > timedelta(hours=1):
        sentence = f"The oldest waiting delivery waits since {state.oldest_waiting_at:%Y-%m-%d %H:%M} UTC."
        found.append(Notice("warn", sentence, "/deliveries?state=waiting"))
    if state.results_stale:
        studies = _n(state.results_stale, "study", "studies")
        sentence = f"The results of {studies} could not be made anew; they do not show what a person said."
        found.append(Notice("stop", sentence, "/studies?show=stale"))
    if state.commitments_refused:
        requests = _n(state.commitments_refused, "request", "requests")
        sentence = f"The answer to {requests} for storage commitment was not taken by the peer that asked."
        found.append(Notice("warn", sentence, "#deliveries"))
    return found


def _waiting_for_a_person(state: NodeState) -> list[Notice]:
    found = []
    if state.studies_in_conflict:
        sentence = (
            f"{_n(state.studies_in_conflict, 'study holds', 'studies hold')} one image with two contents: choose."
        )
        found.append(Notice("warn", sentence, "/studies?show=conflict"))
    if state.studies_incomplete:
        sentence = f"{_n(state.studies_incomplete, 'study is', 'studies are')} smaller here than at the sender."
        found.append(Notice("warn", sentence, "/studies?show=incomplete"))
    if state.held:
        sentence = f"{_n(state.held, 'delivery is', 'deliveries are')} held until a person releases them."
        found.append(Notice("info", sentence, "/release"))
    if state.gated_models:
        sentence = f"{_n(state.gated_models, 'trained model is', 'trained models are')} newer than the promoted one."
        found.append(Notice("info", sentence, "#models"))
    return found


def _n(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}".replace(",", "\u202f")


def in_gb(size_bytes: int) -> str:
    """A size in GB (10^9 bytes) with one digit where it is small."""
    gb = size_bytes / 1e9
    return f"{gb:.1f}" if gb < 100 else f"{gb:.0f}"
