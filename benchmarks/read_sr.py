"""A TID 1500 report of ten lesions: our reader against highdicom's own parsing, in the same run."""

import statistics
import time
from collections.abc import Callable
from io import BytesIO

import highdicom as hd
from pydicom import dcmread

from dicom_node.phantom.readings import Dialect
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import make_study
from mining.readers.sr import read_sr

ROUNDS = 15
SETTINGS = PhantomSettings(rows=128, slices=(24, 24), lesions=(10, 10), marked_share=1.0, unread_share=0.0)


def main() -> None:
    study = next(
        study
        for index in range(100)
        if (study := make_study(1, index, SETTINGS)).dialect in (Dialect.AXES, Dialect.OHIF)
    )
    report = study.reports[0]
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    ours = median_ms(lambda: list(read_sr(dcmread(BytesIO(content)))))
    theirs = median_ms(lambda: with_highdicom(content))
    print(f"{sum(lesion.marked for lesion in study.lesions)} lesions: ", end="")
    print(f"ours {ours:.1f} ms, highdicom {theirs:.1f} ms, ratio {ours / theirs:.2f}")


def with_highdicom(content: bytes) -> int:
    document = hd.sr.srread(BytesIO(content))
    groups = document.content.get_planar_roi_measurement_groups()
    groups += document.content.get_image_measurement_groups()
    return sum(len(group.get_measurements()) for group in groups)


def median_ms(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    main()
