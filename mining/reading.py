"""One stored object → what it said, whatever it holds. Shell: it opens the file.

Promise: an object that cannot be read, or that a reader fails on, leaves one rejection and harms nothing else.
"""

from __future__ import annotations

import logging
import traceback
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from sqlalchemy.exc import SQLAlchemyError

from db.harvested import SourceFacts
from db.measurement import Found, ImageReference, Measurement, Rejected, WeakLabel
from mining.algorithms import algorithm_named
from mining.elements import UNREADABLE, items_of, moment_of, text_of
from mining.known_images import KnownImages
from mining.noise import NoiseLimits, joined, noisy_because, pixels_doubt
from mining.pixels import Hu
from mining.readers.by_class import SourceReader
from mining.readers.sr_verdicts import stated_verdicts
from mining.settings import HarvestSettings

log = logging.getLogger(__name__)

READER_VERSION = 2
"""Counts up whenever a reader gives other rows for the same object; `harvest --again` then reads all anew."""

MAX_REJECTIONS = 1_000
"""Of one object; a report of a hundred thousand numbers is one fact, not as many."""

_CONTENT_MOMENTS = ("Content", "PresentationCreation", "StructureSet")

MAX_FRAMES = 20
"""Of a traceback on record."""

Taken = tuple[Measurement | WeakLabel, str | None]
"""What an object said, and why it is doubtful, if it is."""

HuOf = Callable[[ImageReference], Hu | None]


@dataclass(slots=True)
class Reading:
    """What one object said, and of each measurement why it is doubtful, if it is."""

    source: SourceFacts
    measurements: list[Taken] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def bounded(self) -> list[Rejected]:
        """The rejections, the last of many summed up."""
        more = len(self.rejected) - MAX_REJECTIONS
        if more <= 0:
            return self.rejected
        summary = Rejected(self.source.sop_instance_uid, "", "more_rejections", f"and {more} more")
        return [*self.rejected[:MAX_REJECTIONS], summary]


def own_result(uid: str, study_instance_uid: str, reader: SourceReader) -> Reading:
    """A result of ours that came back: never read."""
    source = SourceFacts(uid, study_instance_uid, reader.kind, own=True, reader_version=READER_VERSION)
    return Reading(source, rejected=[Rejected(uid, "", "own_result", "it is a result of this node")])


def read_object(
    uid: str,
    study_instance_uid: str,
    reader: SourceReader,
    path: Path,
    images: KnownImages,
    settings: HarvestSettings,
    hu_of: HuOf = lambda image: None,
    is_answer: bool = False,
) -> Reading:
    """All that a reader finds in one file. An error of ours or a hostile object costs this object, not the study.

    hu_of: an image in HU (H, W), None where it is not to be judged; asked for all marks of one image together.
    is_answer: whether there are results that it may answer; then its verdicts in words are looked for, too.
    """
    said = Reading(SourceFacts(uid, study_instance_uid, reader.kind, reader_version=READER_VERSION))
    with path.open("rb") as stream:  # where the disk fails, that is ours to mend, and then the object is read again
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom's warnings quote the values, which are a patient's
                ds = _data_set(stream, reader)
                if ds is None:
                    said.rejected = [Rejected(uid, "", "unreadable", "its bytes are no data set that can be followed")]
                    return said
                said.source = _facts(said.source, ds)
                if is_answer and reader.kind == "SR":
                    author, stated = stated_verdicts(ds, settings.verdicts)
                    said.source = replace(said.source, reader=author, stated_verdicts=stated)
                for one in reader.read(ds, images):
                    _take(said, one, settings)
                said.measurements = doubted(said.measurements, images, hu_of, settings)
        except SQLAlchemyError:
            raise  # the database failed, not the object
        except Exception as error:  # noqa: BLE001 - whatever an object does to a reader, it must not stop the others
            said.measurements.clear()
            said.rejected = [_failure(uid, error)]
            log.warning("reader failed sop_instance=%s kind=%s error=%s", uid, reader.kind, type(error).__name__)
    return said


def _data_set(stream: BinaryIO, reader: SourceReader) -> Dataset | None:
    try:
        return dcmread(stream, stop_before_pixels=not reader.pixels)
    except (InvalidDicomError, zlib.error, *UNREADABLE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's
        return None


def _take(said: Reading, one: Found, settings: HarvestSettings) -> None:
    if isinstance(one, Rejected):
        said.rejected.append(one)
        return
    by_algorithm = one.by_algorithm or algorithm_named(said.source.writer, one.reader, settings.algorithms)
    said.measurements.append((replace(one, by_algorithm=by_algorithm), None))


def _facts(source: SourceFacts, ds: Dataset) -> SourceFacts:
    offset = text_of(ds, "TimezoneOffsetFromUTC")
    moments = (moment_of(ds, f"{name}Date", f"{name}Time", offset) for name in _CONTENT_MOMENTS)
    writer = " ".join(text_of(ds, name) for name in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"))
    return replace(
        source,
        writer=" ".join(writer.split()),
        content_at=next((moment for moment in moments if moment is not None), None),
        predecessors=tuple(_predecessors(ds)),
    )


def _predecessors(ds: Dataset) -> Iterator[str]:
    """The documents that this one replaces (PS3.3 C.17.2.5: study, series, instance)."""
    for study in items_of(ds, "PredecessorDocumentsSequence"):
        for series in items_of(study, "ReferencedSeriesSequence"):
            for instance in items_of(series, "ReferencedSOPSequence"):
                if uid := text_of(instance, "ReferencedSOPInstanceUID"):
                    yield uid


def _failure(uid: str, error: Exception) -> Rejected:
    """The place of the error without its message, which may quote the object."""
    code = "nested_too_deep" if isinstance(error, RecursionError) else "reader_failed"
    frames = traceback.format_tb(error.__traceback__)[-MAX_FRAMES:]
    reason = f"the reader ended with {type(error).__name__}"
    return Rejected(uid, "", code, reason, "".join(frames) + type(error).__name__)


def adopt(said: Reading, items: Collection[str], images: KnownImages, hu_of: HuOf, settings: HarvestSettings) -> None:
    """Let rejected drawings be measurements after all. items: where they stand."""
    drawn = [one.drawn for one in said.rejected if one.drawn is not None and one.source_item in items]
    said.rejected = [one for one in said.rejected if one.drawn is None or one.source_item not in items]
    before = len(said.measurements)
    for one in drawn:
        _take(said, one, settings)
    said.measurements[before:] = doubted(said.measurements[before:], images, hu_of, settings)


def doubted(taken: Sequence[Taken], images: KnownImages, hu_of: HuOf, settings: HarvestSettings) -> list[Taken]:
    """The same in the same order, with what is doubtful about each measurement."""
    doubted = list(taken)
    for place, (one, _) in sorted(enumerate(taken), key=lambda each: astuple(each[1][0].image)):
        if isinstance(one, Measurement):
            doubted[place] = (one, _doubt(one, images, hu_of, settings.noise))
    return doubted


def _doubt(one: Measurement, images: KnownImages, hu_of: HuOf, limits: NoiseLimits) -> str | None:
    known = images.find(one.image)
    if known is None:
        return noisy_because(one, None, None, limits)
    hu = hu_of(one.image) if limits.read_pixels else None
    drawn = noisy_because(one, known.spacing, (known.rows, known.columns), limits)
    shown = None if hu is None else pixels_doubt(hu, one.box, limits)
    return joined([reason for reason in (drawn, shown) if reason is not None])
