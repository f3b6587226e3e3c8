"""The encodings that a destination can ask for, by the names of the configuration. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.report import document, seg, sr
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


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("seg", "SEG", seg.SOP_CLASS_UID, 9902, 0, seg.segmentation),
        Profile("ohif", "SR", document.SOP_CLASS_UID, 9901, 1, sr.measurement_report),
    )
}
