"""The frames of a multi-frame image, each as a header of its own. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import Dataset

from db.errors import GeometryError

PLANE_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
}
"""Functional group → what a single-frame image says of its plane in its own header (PS3.3 C.7.6.16.2)."""
_FUNCTIONAL_GROUPS = 0x5200


def frames_of(image: Dataset) -> Sequence[Dataset]:
    """The image itself where it has no functional groups, else a header for each frame, in the order of the frames.

    Raises GeometryError where frames have no functional groups to tell their planes apart.
    """
    count = int(image.get("NumberOfFrames") or 1)
    per_frame = image.get("PerFrameFunctionalGroupsSequence") or ()
    if count == 1 and not per_frame:
        return (image,)
    if len(per_frame) != count:
        uid = image.get("SOPInstanceUID", "")
        raise GeometryError(
            "a multi-frame image does not describe each frame",
            sop_instance_uid=uid,
            frames=count,
            groups=len(per_frame),
        )
    shared = list(image.get("SharedFunctionalGroupsSequence") or ())
    common = Dataset({tag: element for tag, element in image.items() if tag.group != _FUNCTIONAL_GROUPS})
    return [_frame(common, [*shared, own]) for own in per_frame]


def _frame(common: Dataset, groups: Sequence[Dataset]) -> Dataset:
    """groups: what holds for all frames, then what holds for this one."""
    frame = Dataset()
    frame.update(common)
    for group in groups:
        for name, keywords in PLANE_GROUPS.items():
            for item in group.get(name) or ():
                for keyword in keywords:
                    if keyword in item:
                        frame[keyword] = item[keyword]
    return frame
