"""OHIF in a headless Chromium, led by ohif_robot.mjs: one order a line, one answer a line."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from ohif_site import OhifSite, served_ohif
from orthanc import missing
from PIL import Image
from pydicom import Dataset

from db.geometry import PointMm, PointPx
from dicom_node.report.source import plane_of

TESTS = Path(__file__).parent
PINNED = (TESTS / "peers.npm").read_text().split()
OHIF, PLAYWRIGHT = (TESTS.parent / ".peers" / name for name in PINNED)
CONFIRM = "yes-hydrate-btn"
TRACK = "prompt-begin-tracking-yes-btn"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the study panel: what OHIF shows on a double click. `object`: the SOP instance that it takes."""

    set: str
    modality: str
    description: str
    series: str
    object: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An annotation of the viewer's state. image: SOP Instance UID. words: corners of its text, if that is shown."""

    uid: str
    tool: str
    image: str
    label: str
    points: tuple[PointMm, ...]
    words: tuple[PointMm, ...]

    def on(self, header: Dataset) -> list[PointPx]:
        """Its points on its image, by the standard (PS3.3 C.7.6.2.1.1) and not by the viewer's own conversion."""
        return [plane_of(header).to_px(point)[0] for point in self.points]


@dataclass(frozen=True, slots=True)
class Overlay:
    """A segmentation as the viewer holds it: segment number → label; image → {(index of the pixel, segment)}."""

    labels: dict[int, str]
    voxels: dict[str, set[tuple[int, int]]]


class RobotError(AssertionError):
    """The viewer did not do what it was told."""


class Viewer:
    """A browser with one page at a time. Every order waits until the viewer has done it."""

    def __init__(self, site: OhifSite, process: subprocess.Popen[str]) -> None:
        self.site = site
        self._process = process

    def _tell(self, act: str, **given: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"act": act, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the robot ended: {self._process.wait()}"}
        if "error" in answer:
            raise RobotError(f"{act} {given}: {answer['error']}")
        return answer["value"]

    def open(self, study_instance_uid: str, *objects: str) -> list[Entry]:
        """Open a study in a new page, with its images and these SOP instances among the entries."""
        self._tell("open", address=self.site.address, study=study_instance_uid, objects=objects)
        return [Entry(**each) for each in self._tell("entries")]

    def display(self, entry: Entry) -> None:
        """By a double click in the study panel."""
        self._tell("display", set=entry.set, modality=entry.modality)

    def answer(self, button: str = CONFIRM) -> None:
        """To the question that stands over the picture."""
        self._tell("answer", button=button)

    def marks(self, *tools: str) -> list[Mark]:
        return [
            Mark(each["uid"], each["tool"], each["image"], each["label"], _points(each["points"]),
                 _points(each["words"]))
            for each in self._tell("marks")
            if each["tool"] in tools
        ]  # fmt: skip

    def mark(self, uid: str) -> Mark:
        (found,) = [each for each in self.marks("RectangleROI", "Bidirectional") if each.uid == uid]
        return found

    def overlay(self) -> Overlay:
        (found,) = self._tell("segments")
        labels = {int(number): label for number, label in found["labels"].items()}
        return Overlay(labels, {each["image"]: {(p, v) for p, v in each["voxels"]} for each in found["images"]})

    def scroll(self, sop_instance_uid: str) -> None:
        self._tell("scroll", image=sop_instance_uid)

    def jump(self, mark: Mark) -> None:
        """By a click on its row in the panel of measurements."""
        self._tell("jump", uid=mark.uid)

    def take(self, tool: str) -> None:
        self._tell("tool", name=tool)

    def drag(self, start: PointMm, end: PointMm) -> None:
        """With the left button held down."""
        self._tell("drag", points=[_xyz(start), _xyz(end)])

    def remove(self, mark: Mark) -> None:
        """By the menu of its row."""
        self._tell("remove", uid=mark.uid)

    def save(self, into: str = "") -> tuple[str, int]:
        """By "Create SR"; `into`: a line of the dialog instead of the one that it offers.

        Returns what it offers, and the status that the PACS answers with.
        """
        answer = self._tell("save", into=into)
        return str(answer["offered"]), int(answer["status"])

    def text(self) -> str:
        """All words on the page."""
        return str(self._tell("text"))

    def troubles(self) -> list[str]:
        """Errors that nobody caught, since the study was opened."""
        return [str(each) for each in self._tell("troubles")]

    def on_screen(self, points: Sequence[PointMm]) -> list[tuple[float, float]]:
        """(x, y) of points of the patient on the screenshot."""
        return [(x, y) for x, y in self._tell("screen", points=[_xyz(point) for point in points])]

    def screenshot(self) -> Image.Image:
        """The page, in RGB."""
        return Image.open(BytesIO(base64.b64decode(self._tell("screenshot")))).convert("RGB")

    def keep_for_docs(self, name: str) -> None:
        """With WRITE_DOCS=1: what is on the page becomes a picture of the documentation."""
        if os.environ.get("WRITE_DOCS") == "1":
            small = self.screenshot().resize((1024, 640)).quantize(96)
            small.save(TESTS.parent / "docs" / f"{name}.png", optimize=True)

    def picture(self) -> np.ndarray:
        """The part of the screenshot that shows the image: (H, W, 3)."""
        left, top, right, bottom = self._tell("frame")
        return np.asarray(self.screenshot())[round(top) : round(bottom), round(left) : round(right)]


def _xyz(point: PointMm) -> list[float]:
    return [point.x, point.y, point.z]


def _points(given: Sequence[Sequence[float]]) -> tuple[PointMm, ...]:
    return tuple(PointMm(*(float(value) for value in point)) for point in given)


@contextmanager
def running_viewer() -> Iterator[Viewer]:
    """OHIF and its browser; skips where a part is missing, which under CI=true is a failure."""
    node, chromium = shutil.which("node"), shutil.which("chromium")
    for there, what in ((node, "node"), (chromium, "chromium"), (OHIF.exists(), "OHIF"),
                        (PLAYWRIGHT.exists(), "playwright-core")):  # fmt: skip
        if not there:
            missing(f"{what} is not installed; tests/install_peers.sh does it")
    assert node is not None and chromium is not None
    command = [node, TESTS / "ohif_robot.mjs", PLAYWRIGHT, chromium]
    with (
        served_ohif(OHIF / "dist") as site,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield Viewer(site, process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
