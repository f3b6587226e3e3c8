"""The encodings that a destination can ask for, by the names of the configuration. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from db.detection import Detection
from dicom_node.report import seg, sr
from dicom_node.report.context import Context


@dataclass(frozen=True, slots=True)
class Profile:
    """One encoding: what is built, and what an association must offer for it.

    kind: as in the ledger (`result.kind`). build: None means that there is nothing to encode.
    build_order: what others refer to comes first.
    """

    name: str
    kind: str
    sop_class_uid: str
    transfer_syntax_uid: str
    build_order: int
    build: Callable[[Sequence[Detection], Context], Dataset | None]


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("seg", "SEG", seg.SOP_CLASS_UID, str(ExplicitVRLittleEndian), 0, seg.segmentation),
        Profile("ohif", "SR", sr.SOP_CLASS_UID, str(ExplicitVRLittleEndian), 1, sr.measurement_report),
    )
}
