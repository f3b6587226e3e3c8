"""The encodings that a destination can ask for, by the names of the configuration. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, ExplicitVRLittleEndian, RLELossless

from dicom_node.report import document, gsps, ko, rtstruct, secondary_capture, seg, sr_air, sr_ohif, sr_slicer
from dicom_node.report.context import Identity
from dicom_node.report.subject import Subject


@dataclass(frozen=True, slots=True)
class Profile:
    """One encoding: what is built, and what an association must offer for it.

    kind: as in the ledger (`result.kind`). series_number: high, so that ours come last in a study's list; the same for
    every analysis. build_order: what others refer to comes first. build: None means that there is nothing to encode.
    fallback: the profile that goes in its place to a peer that refuses the SOP class; empty if none says as much.
    """

    name: str
    kind: str
    sop_class_uid: str
    series_number: int
    build_order: int
    build: Callable[[Subject, Identity], Dataset | None]
    transfer_syntax_uid: str = str(ExplicitVRLittleEndian)
    fallback: str = ""


def _sr(
    name: str,
    series_number: int,
    groups_of: document.GroupsOf,
    what: str,
    fallback: str,
    sop_class_uid: str = Comprehensive3DSRStorage,
) -> Profile:
    build = partial(document.report, groups_of=groups_of, what=what, sop_class_uid=sop_class_uid)
    return Profile(name, "SR", sop_class_uid, series_number, 1, build, fallback=fallback)


IN_WORDS = ("SR", "SC")
"""Kinds of results that also tell of an analysis that found nothing."""

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("seg", "SEG", seg.SOP_CLASS_UID, 9902, 0, seg.segmentation, fallback="rtstruct"),
        Profile(
            "seg-labelmap", "SEG", seg.LABEL_MAP_SOP_CLASS_UID, 9903, 0, seg.label_map, str(RLELossless), fallback="seg"
        ),
        Profile("rtstruct", "RTSTRUCT", rtstruct.SOP_CLASS_UID, 9904, 1, rtstruct.structure_set),
        Profile("gsps", "PR", gsps.SOP_CLASS_UID, 9905, 1, gsps.presentation_state, fallback="sc"),
        Profile("ko", "KO", ko.SOP_CLASS_UID, 9906, 1, ko.key_object_selection),
        Profile("sc", "SC", secondary_capture.SOP_CLASS_UID, 9907, 1, secondary_capture.secondary_capture),
        _sr("ohif", 9901, sr_ohif.groups_of, "OHIF SR", "ohif-comprehensive"),
        _sr("ohif-comprehensive", 9911, sr_ohif.groups_of, "OHIF SR", "gsps", ComprehensiveSRStorage),
        _sr("slicer", 9912, sr_slicer.groups_of, "Slicer SR", "slicer-comprehensive"),
        _sr("slicer-comprehensive", 9913, sr_slicer.groups_of, "Slicer SR", "gsps", ComprehensiveSRStorage),
        _sr("air", 9914, sr_air.groups_of, "AIR SR", "ohif-comprehensive"),
    )
}


def stand_ins(profile: str) -> Iterator[str]:
    """The profile, and what goes in its place to a peer that refuses it, one after the other."""
    while profile:
        yield profile
        profile = PROFILES[profile].fallback if profile in PROFILES else ""
