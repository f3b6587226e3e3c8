"""An archive of reports as files: ten documents a study, two studies a patient, the same for the same number.

Among the ten are a report that was saved again, a chain of predecessors, a second reader, a lesion measured anew or
only told in millimetres, a presentation state, points in the patient's space and measurements on the images of the
patient's other study.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from builders import (
    ALGORITHM,
    LENGTH,
    Line,
    annotation,
    bidirectional,
    ct_series,
    graphic,
    group,
    gsps,
    image,
    measured_line,
    num,
    rectangle,
    scoord,
    scoord3d,
    text,
    tid1500,
)
from pydicom.dataset import Dataset

ROOT = "1.2.826.0.1.3680043.10.20"
DOCUMENTS, SLICES = 10, 2
"""Of one study."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Two diameters, before they are put into a document."""

    long: Line
    short: Line

    def moved(self, by: float) -> Drawn:
        return Drawn(_moved(self.long, by), _moved(self.short, by))

    def longer(self, by: float) -> Drawn:
        """By so many columns at either end."""
        (x1, y1), (x2, y2) = self.long
        return Drawn(((x1 - by, y1), (x2 + by, y2)), self.short)


def _moved(line: Line, by: float) -> Line:
    return (line[0][0] + by, line[0][1] + by), (line[1][0] + by, line[1][1] + by)


def make_archive(folder: Path, documents: int) -> list[Path]:
    """Write that many documents and their images, a study after the other; the paths in this order."""
    paths = []
    for study in range(-(-documents // DOCUMENTS)):
        for number, ds in enumerate([*_images(study), *_documents(study)]):
            paths.append(folder / f"{study:05d}_{number:02d}.dcm")
            ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def _uid(study: int, *parts: int) -> str:
    return ".".join([f"{ROOT}.{study + 1}", *map(str, parts)])


def _slice_uid(study: int, number: int) -> str:
    return _uid(study, 1, number)


def _images(study: int) -> list[Dataset]:
    made = ct_series(SLICES, series_uid=_uid(study, 1), study_uid=_uid(study))
    for ds in made:
        ds.FrameOfReferenceUID = _uid(study, 9)
        ds.PatientID, ds.StudyDate = _patient(study), _date(study)
        ds.SeriesDescription = "Topogram scout" if study % 7 == 6 else "Thorax"
        if study % 5 != 4:  # of the others a ramp in air stays, which is no place for a lesion
            rows, columns = np.indices((ds.Rows, ds.Columns))
            ds.PixelData = (1024 + 3 * rows + columns).astype("<i2").tobytes()
    return made


def _patient(study: int) -> str:
    return f"P{study // 2}"


def _date(study: int) -> str:
    return f"2026{1 + study % 2 * 3:02d}{1 + study // 2 % 28:02d}"


def _documents(study: int) -> Iterator[Dataset]:
    for number, ds in enumerate(_ten(study)):
        uid = _uid(study, 5, number)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
        ds.SeriesInstanceUID = f"{uid}.1"
        ds.PatientID, ds.StudyDate = _patient(study), _date(study)
        if ds.Modality == "SR":
            ds.ContentDate, ds.ContentTime = _date(study), f"{9 + number // 2:02d}0000"  # two at a time
        yield ds


def _ten(study: int) -> Iterator[Dataset]:
    rng = Random(study)
    first, second, third, fourth = (_drawn(rng, column, row) for row in (12, 32) for column in (14, 44))
    other = study + 1 if study % 2 == 0 else study - 1  # the patient's other study: before this one, or after it
    here, there = _slice_uid(study, 1), _slice_uid(other, 2)
    tracked = [_uid(study // 2 * 2, 7, lesion) for lesion in range(4)]  # the same in both studies of the patient
    of_study = {"study_uid": _uid(study)}

    def both() -> list[Dataset]:
        return [_both(here, first, tracked[0]), _both(here, second, tracked[1])]

    yield tid1500(*both(), **of_study)
    yield tid1500(*both(), **of_study)  # the same drawings, saved again
    yield tid1500(_both(here, third, tracked[2]), **of_study)
    yield tid1500(_both(here, third.moved(0.75), tracked[2]), predecessors=[_uid(study, 5, 2)], **of_study)
    yield tid1500(_both(here, third.moved(1.5), tracked[2]), predecessors=[_uid(study, 5, 3)], **of_study)
    second_look = first.moved(0.4).longer(rng.uniform(0.0, 1.5))
    yield tid1500(_both(here, second_look, _uid(study, 8, 1)), reader="Reader^Two", **of_study)
    anew = _both(here, second.moved(0.8), tracked[1])  # by the first reader
    yield tid1500(group(num(LENGTH, 12.0, "mm")) if study % 3 == 1 else anew, **of_study)
    lines = [graphic("POLYLINE", line) for line in (first.long, first.short)]
    yield gsps(annotation(lines, images=[here]), images=[here], **of_study)
    yield tid1500(_in_space(other, fourth.long), _both(_slice_uid(study, 2), fourth, ""), **of_study)
    algorithm = [text(ALGORITHM, "Lesion Finder")] if study % 3 == 0 else []
    point = num(LENGTH, None, "mm", scoord("POINT", [fourth.long[0]], image(there)))
    yield tid1500(
        _both(there, fourth, tracked[3]),
        group(*algorithm, measured_line(LENGTH, third.long, there)),
        group(point),
        rectangle(_slice_uid(study, 2), (5.0, 6.0, 21.0 + study % 5, 15.0)),
        predecessors=[_uid(other, 5, 9)] if study % 4 == 1 else [],
        **of_study,
    )


def _both(image_uid: str, drawn: Drawn, tracking_uid: str) -> Dataset:
    return bidirectional(image_uid, drawn.long, drawn.short, tracking_uid=tracking_uid or None)


def _drawn(rng: Random, column: float, row: float) -> Drawn:
    """Two lines at right angles in the patient, where a row is 0.8 mm from the next and a column 0.5 mm."""
    x, y = column + rng.uniform(-2, 2), row + rng.uniform(-2, 2)
    length = rng.uniform(5, 9)
    return Drawn(((x - length, y), (x + length, y)), ((x + 1, y - length / 3), (x + 1, y + length / 3)))


def _in_space(study: int, line: Line) -> Dataset:
    """A line in the space of that study's first slice."""
    ds = _images(study)[0]
    origin, turned = np.array(ds.ImagePositionPatient, float), np.array(ds.ImageOrientationPatient, float)
    (row_mm, col_mm), frame = map(float, ds.PixelSpacing), str(ds.FrameOfReferenceUID)
    points = [origin + col * col_mm * turned[:3] + row * row_mm * turned[3:] for col, row in line]
    return group(num(LENGTH, None, "mm", scoord3d("POLYLINE", np.array(points).tolist(), frame_of_reference=frame)))
