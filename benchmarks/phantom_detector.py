"""Train the detector on marked phantoms and judge it on unseen ones, against every lesion, marked or not.

The marks are read from the reports of the simulated readers, as the node reads them; the truth is the phantoms'.
Test equipment: the figures say nothing about patients. From the project's root:

    python -m benchmarks.phantom_detector --seed 21
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from db.geometry import DEEPLESION_MARGIN_PX, BoxPx, PixelSpacing, Plane
from db.measurement import ImageReference, Measurement
from detector.cache import positions_mm
from detector.candidate import pixel_for
from detector.evaluate import KnownScan, result_of
from detector.froc import AT_FP_PER_SCAN, ScanResult, hits, operating_curve, sensitivities, threshold_at, with_intervals
from detector.look import lesions_of
from detector.loop import TrainSettings, train
from detector.marks import Mark, TrainingScan
from detector.merge import MergeSettings, Track
from detector.model import LesionDetector, NetworkSettings, build
from detector.prepare import InputSettings, prepare_scan
from dicom_node.phantom.study import PhantomStudy, make_study
from mining.body import lite0_weights
from mining.known_images import KnownImage
from mining.plane_stack import PlaneStack
from mining.readers.by_class import reader_for
from mining.volume import Volume, load_volume

UNSEEN_SEED = 1_000_000
"""As in the demo: added to the seed for the unseen studies."""
LARGE_MM, CLEAR_HU = 10.0, 40.0
LOOKALIKE_MM = 15.0
"""A false positive whose key slice and box are so close to a look-alike is counted as one."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """The truth: boxes by slice, what it is, and whether a reader would be expected to see it."""

    kind: str
    boxes: dict[int, BoxPx]
    key: int
    counts: bool


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One study in native pixels: the series, what its reader marked (slice, box, long axis in mm, kind), the truth."""

    patient: str
    volume: Volume
    marks: tuple[tuple[int, BoxPx, float, str], ...]
    lesions: tuple[Lesion, ...]
    lookalikes: tuple[tuple[int, float, float], ...]
    """Slice, column and row of each."""


class ImagesOf:
    """What a reader of reports may ask about one series."""

    def __init__(self, volume: Volume) -> None:
        rows, columns = volume.voxels.shape[1:]
        self._known = {
            image: KnownImage(rows, columns, plane.spacing, plane)
            for image, plane in zip(volume.images, volume.planes, strict=True)
        }
        self._stack = PlaneStack(tuple(zip(volume.images, volume.planes, strict=True)))

    def find(self, image: ImageReference) -> KnownImage | None:
        return self._known.get(image)

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        return self._stack


def case_of(seed: int, index: int) -> Case:
    study = make_study(seed, index)
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.dcm" for number in range(len(study.images))]
        for path, image in zip(paths, study.images, strict=True):
            image.save_as(path, enforce_file_format=True)
        volume = load_volume(paths)
    slice_of = {image.sop_instance_uid: z for z, image in enumerate(volume.images)}
    lesions = tuple(
        Lesion(
            lesion.kind,
            {slice_of[uid]: box for uid, box in lesion.boxes.items()},
            slice_of[lesion.key_sop_instance_uid],
            lesion.long_axis_mm >= LARGE_MM and abs(lesion.contrast_hu) >= CLEAR_HU,
        )
        for lesion in study.lesions
    )
    lookalikes = tuple((slice_of[one.sop_instance_uid], one.point.col, one.point.row) for one in study.lookalikes)
    return Case(study.patient_id, volume, tuple(_marks(study, volume, lesions)), lesions, lookalikes)


def _marks(study: PhantomStudy, volume: Volume, lesions: Sequence[Lesion]) -> Iterator[tuple[int, BoxPx, float, str]]:
    """What the reports say; the kind is that of the lesion that lies there."""
    images = ImagesOf(volume)
    for report in study.reports:
        reader = reader_for(report.SOPClassUID)
        for found in reader.read(report, images) if reader is not None else ():
            if isinstance(found, Measurement) and images.find(found.image) is not None:
                z = volume.index_of(found.image)
                near = max(lesions, key=lambda lesion: lesion.boxes[z].iou(found.box) if z in lesion.boxes else -1.0)
                yield z, found.box, found.long_axis.length_mm(volume.spacing), near.kind


def cases_of(seed: int, count: int) -> list[Case]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as makers:
        return list(makers.map(case_of, [seed] * count, range(count), chunksize=4))


def training_scans(
    cases: Sequence[Case], inputs: InputSettings, kinds: Sequence[str]
) -> list[tuple[TrainingScan, PixelSpacing]]:
    """The scans with marks. kinds: in the order of the labels; one for all lesions where there is only one."""
    made = []
    for case in cases:
        if case.marks:
            scan = prepare_scan(case.volume.voxels, positions_mm(case.volume), case.volume.spacing, inputs)
            marks = tuple(
                Mark(
                    z,
                    scan.frame.to_network(box),
                    kinds.index(kind) + 1 if len(kinds) > 1 else 1,
                    long_mm / 2,
                    DEEPLESION_MARGIN_PX * scan.frame.col_scale,
                )
                for z, box, long_mm, kind in case.marks
            )
            made.append((TrainingScan(scan, marks), case.volume.spacing))
    return made


def known_scans(cases: Sequence[Case], inputs: InputSettings) -> list[KnownScan]:
    return [
        KnownScan(
            case.patient,
            prepare_scan(case.volume.voxels, positions_mm(case.volume), case.volume.spacing, inputs),
            case.volume.spacing,
            tuple(lesion.boxes for lesion in case.lesions),
            tuple(lesion.counts for lesion in case.lesions),
        )
        for case in cases
    ]


# --- figures --------------------------------------------------------------------------------------------------------


def lines_of(cases: Sequence[Case], known: Sequence[KnownScan], tracks: Sequence[Sequence[Track]]) -> Iterator[str]:
    """The table: one line a stratum, sensitivity with interval at each rate of false positives."""
    whole = [result_of(scan, found) for scan, found in zip(known, tracks, strict=True)]
    key_only = [
        result_of(replace(scan, truths=_key_truths(case)), found)
        for case, scan, found in zip(cases, known, tracks, strict=True)
    ]
    yield "| against | lesions | " + " | ".join(f"{at:g} FP/scan" for at in AT_FP_PER_SCAN) + " |"
    yield "|---|---|" + "---|" * len(AT_FP_PER_SCAN)
    yield _line(f"≥ {LARGE_MM:g} mm and ≥ {CLEAR_HU:g} HU", whole)
    yield _line("the same, hit on the key slice", key_only)
    yield _line("all lesions", [counting(scan, lambda _: True) for scan in whole])
    yield _line("smaller or fainter", [counting(scan, lambda counts: not counts) for scan in whole])
    threshold = threshold_at(operating_curve(whole), 4.0)
    false, alike = _false_positives(cases, known, tracks, 1.0 if threshold is None else threshold)
    yield ""
    yield f"At 4 FP/scan: {false} false positives in {len(cases)} scans, {alike} of them at a look-alike."


def _key_truths(case: Case) -> tuple[dict[int, BoxPx], ...]:
    return tuple({lesion.key: lesion.boxes[lesion.key]} for lesion in case.lesions)


def counting(scan: ScanResult, rule: Callable[[bool], bool]) -> ScanResult:
    return replace(scan, counts=tuple(rule(counts) for counts in scan.counts))


def _line(name: str, results: Sequence[ScanResult]) -> str:
    values = zip(sensitivities(results), with_intervals(results, draws=1000), strict=True)
    cells = (f"{value:.2f} [{interval.low:.2f}, {interval.high:.2f}]" for value, interval in values)
    return f"| {name} | {sum(sum(scan.counts) for scan in results)} | " + " | ".join(cells) + " |"


def _false_positives(
    cases: Sequence[Case], known: Sequence[KnownScan], tracks: Sequence[Sequence[Track]], threshold: float
) -> tuple[int, int]:
    """How many there are from the threshold on, and how many of them lie at a look-alike."""
    false = alike = 0
    for case, scan, found in zip(cases, known, tracks, strict=True):
        for track in found:
            boxes = {z: box for truth in scan.truths for z in truth if (box := track.box_on(z)) is not None}
            if track.score >= threshold and not hits(boxes, scan.truths):
                false += 1
                alike += any(_is_at(track, one, case.volume.planes) for one in case.lookalikes)
    return false, alike


def _is_at(track: Track, lookalike: tuple[int, float, float], planes: Sequence[Plane]) -> bool:
    z, col, row = lookalike
    near = [box for box in track.boxes if abs(planes[box.z].position_mm - planes[z].position_mm) <= LOOKALIKE_MM]
    return any(box.box.x1 <= col <= box.box.x2 and box.box.y1 <= row <= box.box.y2 for box in near)


# --- one training ---------------------------------------------------------------------------------------------------


def trained(
    cases: Sequence[Case], inputs: InputSettings, kinds: Sequence[str], settings: TrainSettings, body: str = "lite0"
) -> tuple[LesionDetector, str]:
    """The detector, and how long its training took."""
    torch.manual_seed(settings.seed)
    pretrained = lite0_weights() if body == "lite0" else None
    network = NetworkSettings(
        body="resnet18" if pretrained is None else "lite0",
        channels=inputs.channels,
        classes=len(kinds) + 1,
        freeze_norm=pretrained is not None,
    )
    model = build(network, pretrained)
    scans = training_scans(cases, inputs, kinds)
    started, used = time.monotonic(), time.process_time()
    with TemporaryDirectory() as run_dir:
        state = train(model, scans, inputs, settings, Path(run_dir), "benchmark", _silent)
    marks = sum(len(scan.marks) for scan, _ in scans)
    return model, (
        f"{len(scans)} scans with {marks} marks of {sum(len(case.lesions) for case in cases)} lesions; "
        f"{network.body}, {len(kinds)} classes; {state.step} steps in {time.monotonic() - started:.0f} s "
        f"({time.process_time() - used:.0f} s of CPU)"
    )


def _silent(step: str, done: int, total: int, **figures: object) -> None:
    """Progress that nobody watches."""


def kinds_of(cases: Sequence[Case], one_class: bool) -> list[str]:
    return ["lesion"] if one_class else sorted({kind for case in cases for *_, kind in case.marks})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=11, help="of the phantoms and of the training")
    parser.add_argument("--studies", type=int, default=150, help="to learn from")
    parser.add_argument("--unseen", type=int, default=42, help="studies to judge on")
    parser.add_argument("--budget-s", type=float, default=240.0)
    parser.add_argument("--steps", type=int, help="the end in steps instead of seconds")
    parser.add_argument("--one-class", action="store_true", help="one class instead of one for each kind of lesion")
    parser.add_argument("--body", choices=("lite0", "resnet18"), default="lite0")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cases, unseen = cases_of(args.seed, args.studies), cases_of(args.seed + UNSEEN_SEED, args.unseen)
    inputs = InputSettings(pixel_mm=pixel_for([case.volume.spacing.row_mm for case in cases]))
    budget_s = args.budget_s if args.steps is None else float("inf")
    settings = TrainSettings(budget_s=budget_s, max_steps=args.steps, seed=args.seed)
    model, words = trained(cases, inputs, kinds_of(cases, args.one_class), settings, args.body)
    known = known_scans(unseen, inputs)
    started = time.monotonic()
    tracks = [lesions_of(model, scan.scan, scan.spacing, inputs, MergeSettings()) for scan in known]
    print(f"seed {args.seed}, pixel {inputs.pixel_mm} mm: {words}; {time.monotonic() - started:.0f} s to judge")
    print("\n".join(lines_of(unseen, known, tracks)), flush=True)


if __name__ == "__main__":
    main()
