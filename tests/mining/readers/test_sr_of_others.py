"""Reports of other writers, with the rows that dsrdump's listing of their content asks for."""

import re
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from db.geometry import PointPx
from db.measurement import Found, Measurement, Rejected, WeakLabel
from mining.readers.sr import read_sr

SHARED = Path(__file__).parents[4] / "shared" / "data"


@dataclass(frozen=True)
class Report:
    """What a document of `../shared/data` gives: item → lengths in pixels, item → point, item → reason code."""

    path: str
    measured: dict[str, tuple[float, ...]]
    pointed: dict[str, PointPx]
    rejected: dict[str, str]


REPORTS = [
    Report(
        "ImagingDataCommons__highdicom/data__test_files__sr_document.dcm", {}, {}, {"1.8.1.4": "anatomy_not_lesion"}
    ),
    Report(
        "ImagingDataCommons__highdicom/data__test_files__sr_document_with_multiple_groups.dcm",
        {"1.7.2.8": (20.0, 20.0)},
        {},
        {"1.7.3.6": "anatomy_not_lesion", "1.7.1.3": "not_a_length", "1.7.4.5": "not_a_length", "1.7.4.6": "no_plane"},
    ),
    Report(
        "cornerstonejs__cornerstone3D/dicomImageLoader__testImages__no-pixel-data.dcm", {}, {}, {"1": "no_measurement"}
    ),
    Report(
        "dcmjs-org__dcmjs/examples__data__structured_report.dcm",
        {
            "1.5.2.3.1": (93.0, 69.0),
            "1.5.3.3.1": (96.17, 48.08),
            "1.5.4.3.1": (40.31,),
            "1.5.5.3.1": (137.21,),
            "1.5.6.3.1": (79.0, 66.0),
        },
        {"1.5.1.4.1": PointPx(169.0, 359.5)},
        {},
    ),
    Report("dcmjs-org__dcmjs/test__sample-sr.dcm", {"1.5.1.3.1": (109.05, 78.12)}, {}, {}),
    Report("pydicom__pydicom/data__test_files__reportsi.dcm", {}, {}, {"1": "no_measurement"}),
    Report("pydicom__pydicom/data__test_files__reportsi_with_empty_number_tags.dcm", {}, {}, {"1": "no_measurement"}),
    Report(
        "pydicom__pydicom/data__test_files__test-SR.dcm",
        {},
        {},
        {"1.3.2": "ambiguous_image", "1.3.3": "temporal_coordinates", "1.2.2": "no_coordinates",
         "1.2.4.2": "no_coordinates"},
    ),
]  # fmt: skip


def read(report: Report) -> list[Found]:
    path = SHARED / report.path
    if not path.is_file():
        pytest.skip("../shared/data is not here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # codes longer than a code may be
        return list(read_sr(dcmread(path)))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: Path(report.path).stem)
def test_a_report_of_another_writer_gives_its_rows(report: Report) -> None:
    found = read(report)
    measured = {m.source.item: m for m in found if isinstance(m, Measurement)}
    assert measured.keys() == report.measured.keys()
    for item, lengths in report.measured.items():
        axes = (measured[item].long_axis, measured[item].short_axis)
        assert [axis.length_px for axis in axes if axis is not None] == pytest.approx(list(lengths), abs=0.01)
    assert {w.source.item: w.point for w in found if isinstance(w, WeakLabel)} == report.pointed
    assert {r.source_item: r.reason_code for r in found if isinstance(r, Rejected)} == report.rejected


def test_what_other_writers_say_of_a_lesion_comes_with_it() -> None:
    (nodule,) = (m for m in read(REPORTS[1]) if isinstance(m, Measurement))
    assert (nodule.tracking_id, nodule.stated_long_axis_mm, nodule.reader) == ("LungNodule0001", 10.0, "Doe^John")
    assert (nodule.finding and nodule.finding.meaning, nodule.site and nodule.site.meaning) == ("Nodule", "Lung")
    (arrow,) = (w for w in read(REPORTS[3]) if isinstance(w, WeakLabel))
    assert arrow.finding is not None and (arrow.finding.value, arrow.finding.meaning) == ("", "ExampleText")
    bidirectional = [m for m in read(REPORTS[3]) if isinstance(m, Measurement)][1]
    assert (bidirectional.stated_long_axis_mm, bidirectional.stated_short_axis_mm) == (93.9, 47.0)
    pixels = next(m for m in read(REPORTS[4]) if isinstance(m, Measurement))
    assert pixels.stated_long_axis_mm is None, "its unit is 1"


COORDINATES = re.compile(r"^([\d.]+)\s+<[^>]*?SCOORD(?:3D)?:[^=]*=\((\w+),(.*)\)>", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: Path(report.path).stem)
def test_dsrdump_lists_the_same_coordinates(report: Report) -> None:
    """Every drawing that it lists is a row, the second line of one, or a reason; lines have the points it prints."""
    if shutil.which("dsrdump") is None:
        pytest.skip("dsrdump is not installed")
    found = read(report)
    command = ["dsrdump", "-q", "-Ee", "-Ec", "-Er", "+Pn", "+Pl", str(SHARED / report.path)]
    listing = subprocess.run(command, capture_output=True, check=True).stdout.decode("latin-1")
    listed = {path: (kind, points) for path, kind, points in COORDINATES.findall(listing)}
    named = {m.source.item for m in found if isinstance(m, Measurement | WeakLabel)}
    named |= {r.source_item for r in found if isinstance(r, Rejected)}
    assert named & listed.keys() == (named - {r for r in report.rejected if r not in listed})
    lines = [axis for m in found if isinstance(m, Measurement) and not m.derived
             for axis in (m.long_axis, m.short_axis) if axis is not None]  # fmt: skip
    printed = [points for kind, points in listed.values() if kind == "POLYLINE" and points.count("/") == 2]
    ours = sorted([value for point in line.points for value in point.to_scoord()] for line in lines)
    for theirs, our in zip(sorted(map(_numbers, printed)), ours, strict=True):
        assert our == pytest.approx(theirs, abs=1e-3)
    seconds = sum(m.short_axis is not None and not m.derived for m in found if isinstance(m, Measurement))
    assert len(named & listed.keys()) + seconds == len(listed)


def _numbers(points: str) -> list[float]:
    return [float(value) for value in re.findall(r"-?\d+(?:\.\d+)?", points)]
