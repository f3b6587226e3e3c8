"""A TID 1500 report of ten lesions: to rows in the database, against highdicom's own parsing, in the same run.

The node's side is the whole harvest of a study that holds such reports and their images, from the files to the commit
in SQLite: reading, judging, the rows and the flat rows, and every round removes those of the round before. Printed for
a report that stands alone in its study and for one of twenty, which share what a study costs; and for parsing alone.
"""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import highdicom as hd
from pydicom import Dataset, dcmread

from db.engine import open_engine, open_sessions, sqlite_url, utc_now
from db.local_files import LocalFiles
from dicom_node.database import upgrade
from dicom_node.importing import import_file
from dicom_node.phantom.readings import Dialect
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from dicom_node.settle import settle_due
from dicom_node.store import Store
from mining.harvest import harvest_study
from mining.readers.sr import read_sr

ROUNDS, MANY, FINDINGS = 15, 20, 10
HIGHEST_RATIO = 0.3
SETTINGS = PhantomSettings(rows=128, slices=(24, 24), lesions=(FINDINGS, FINDINGS), marked_share=1.0, unread_share=0.0)


def main() -> None:
    study = next(
        study
        for index in range(100)
        if (study := make_study(1, index, SETTINGS)).dialect in (Dialect.AXES, Dialect.OHIF)
    )
    buffer = BytesIO()
    study.reports[0].save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        took = medians_ms(
            {
                "highdicom's parsing": lambda: with_highdicom(content),
                "our parsing": lambda: list(read_sr(dcmread(BytesIO(content)))),
                "to rows, alone in its study": harvesting(study, Path(folder) / "alone", 1),
                f"to rows, one of {MANY} in its study": harvesting(study, Path(folder) / "many", MANY),
            }
        )
    took[f"to rows, one of {MANY} in its study"] /= MANY
    peer = took["highdicom's parsing"]
    print(f"a report of {FINDINGS} lesions")
    for name, ms in took.items():
        print(f"{name:30} {ms:6.1f} ms  ratio {ms / peer:.2f}{'  too slow' if HIGHEST_RATIO < ms / peer < 1 else ''}")


def with_highdicom(content: bytes) -> int:
    document = hd.sr.srread(BytesIO(content))
    groups = document.content.get_planar_roi_measurement_groups()
    groups += document.content.get_image_measurement_groups()
    return sum(len(group.get_measurements()) for group in groups)


def harvesting(study: PhantomStudy, folder: Path, reports: int) -> Callable[[], object]:
    """The harvest of a node that has received and settled this study, with so many reports of its lesions."""
    url, data, files = sqlite_url(folder), folder, folder / "sent"
    files.mkdir(parents=True)
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    sessions, store_files = open_sessions(url), LocalFiles(data)
    store = Store(sessions, store_files)
    for number, ds in enumerate([*study.images, *(again(study.reports[0], number) for number in range(reports))]):
        ds.save_as(files / f"{number}.dcm", enforce_file_format=True)
        import_file(store, files / f"{number}.dcm")
    settle_due(sessions, store_files, utc_now() + timedelta(1), timedelta(0), b"key", lambda *_: None, set())

    def harvest() -> None:
        counts = harvest_study(sessions, study.study_instance_uid, store_files)
        assert counts.measurements == reports * FINDINGS, counts

    return harvest


def again(report: Dataset, number: int) -> Dataset:
    """The report as another reader might have drawn it: other UIDs, other lesions, a little aside."""
    made = copy.deepcopy(report)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"{report.SOPInstanceUID[:50]}.{number}"
    for item in items_below(made):
        if item.ValueType == "UIDREF":
            item.UID = f"{item.UID[:50]}.{number}"
        if item.ValueType == "SCOORD":
            item.GraphicData = [value + number / 4 for value in item.GraphicData]
    return made


def items_below(ds: Dataset) -> Iterator[Dataset]:
    for item in ds.get("ContentSequence", ()):
        yield item
        yield from items_below(item)


def medians_ms(
    runs: Mapping[str, Callable[[], object]], rounds: int = ROUNDS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Name → median, all of them in turn in each round; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            started = clock()
            run()
            if turn:
                seconds[name].append(clock() - started)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
