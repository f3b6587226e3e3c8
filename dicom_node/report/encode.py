"""One subject in several encodings. Pure; `docs/report.md` shows it to programs that are no node."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from pydicom import Dataset

from dicom_node.report.context import Identity, InstanceReference
from dicom_node.report.profiles import PROFILES, Profile
from dicom_node.report.subject import Subject


def encode(
    subject: Subject, names: Collection[str], identity_of: Callable[[Profile], Identity]
) -> list[tuple[Profile, Dataset]]:
    """The objects of these profiles, in the order in which they refer to each other: an SR names its segmentation.

    A profile that has nothing to say of the subject is left out. KeyError for an unknown name.
    """
    made: list[tuple[Profile, Dataset]] = []
    segmentation: InstanceReference | None = None
    for profile in sorted((PROFILES[name] for name in set(names)), key=lambda each: (each.build_order, each.name)):
        dataset = profile.build(subject, replace(identity_of(profile), segmentation=segmentation))
        if dataset is None:
            continue
        if profile.kind == "SEG" and segmentation is None:
            segmentation = InstanceReference.of(dataset)
        made.append((profile, dataset))
    return made
