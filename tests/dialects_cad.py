"""Dialects of CAD reports and of key object selections."""

from builders import AREA, LUNG, NODULE, SERIES, SITE, code, ct_series, image, num, person, scoord, text
from builders_cad import (
    CENTER,
    CHEST_CAD,
    CHEST_ROOT,
    CLUSTER,
    COLON_CAD,
    COLON_ROOT,
    DENSITY,
    NOT_PRESENTED,
    ONE_CALCIFICATION,
    OUTLINE,
    CodeTriple,
    algorithm,
    cad_sr,
    composite,
    coordinates,
    finding,
    key_objects,
    library,
    pointing,
    selected,
)
from builders_images import ENHANCED_CT, MG, ONE, enhanced_ct, image_of
from dialect import Dialect, Row
from pydicom.dataset import Dataset

FIRST, SECOND = f"{SERIES}.1", f"{SERIES}.2"
OTHER = f"{ONE}.2"
POLYP: CodeTriple = ("68496003", "SCT", "Polyp of colon")
NON_LESION: CodeTriple = ("111102", "DCM", "Non-lesion")
LONGEST: CodeTriple = ("103339001", "SCT", "Long axis")


def _mammograms() -> list[Dataset]:
    return [image_of(MG, "MG", uid=uid, orientation=None) for uid in (ONE, OTHER)]


def _diamond(col: float, entry: int) -> Dataset:
    """10 × 9.6 mm on an image of `builders`."""
    ring = [(col - 10, 20.0), (col, 14.0), (col + 10, 20.0), (col, 26.0), (col - 10, 20.0)]
    return coordinates(OUTLINE, "POLYLINE", ring, pointing(1, 1, entry))


def _centre(col: float, row: float, entry: int) -> Dataset:
    return coordinates(CENTER, "POINT", [(col, row)], pointing(1, 1, entry))


def _mammography() -> list[Dataset]:
    """A mass in two views, a cluster with its calcifications, a cluster that is only pointed at, and the nipple."""
    mass = composite(
        DENSITY,
        finding(DENSITY, _centre(20, 20, 1), _diamond(20, 1)),
        finding(DENSITY, _centre(30, 20, 2), _diamond(30, 2)),
    )
    single = finding(ONE_CALCIFICATION, _centre(50, 40, 1))
    cluster = finding(CLUSTER, _centre(50, 40, 1), single, num(AREA, 12.0, "mm2"))
    nipple = finding(("T-04100", "SRT", "Nipple"), _centre(4, 30, 1))
    hidden = finding(CLUSTER, _centre(9, 9, 2), intent=NOT_PRESENTED)
    performed = [(DENSITY, "Masses", "4.0"), (CLUSTER, "Clusters", "2.1")]
    report = cad_sr(mass, cluster, nipple, hidden, images=library(ONE, OTHER), performed=performed)
    return [*_mammograms(), report]


def _circles() -> list[Dataset]:
    """A circle as the outline, the image below it by value, no image library."""
    ring = coordinates(OUTLINE, "CIRCLE", [(20, 20), (20, 25)], image(ONE, sop_class_uid=MG))
    return [*_mammograms(), cad_sr(finding(DENSITY, ring))]


def _chest() -> list[Dataset]:
    """A nodule outlined on two slices, and one with its diameter drawn."""
    rings = [coordinates(OUTLINE, "CIRCLE", [(20, 20), (20, 20 + r)], image(u)) for u, r in ((FIRST, 3), (SECOND, 5))]
    long = num(LONGEST, 10.0, "mm", scoord("POLYLINE", [(20, 10), (32, 20)], image(FIRST)))
    findings = [
        finding(NODULE, *algorithm("Nodules", "7"), code(SITE, LUNG, "HAS CONCEPT MOD"), *rings),
        finding(NODULE, *algorithm("Nodules", "7"), long),
    ]
    return [*ct_series(), cad_sr(*findings, root=CHEST_ROOT, sop_class_uid=CHEST_CAD)]


def _colon() -> list[Dataset]:
    centre = coordinates(CENTER, "POINT", [(20, 20)], image(SECOND))
    tracked = text(("112039", "DCM", "Tracking Identifier"), "Polyp 1")
    findings = [finding(POLYP, tracked, centre), finding(NON_LESION, centre)]
    return [*ct_series(), cad_sr(*findings, root=COLON_ROOT, sop_class_uid=COLON_CAD)]


CAD_DIALECTS = [
    Dialect(
        "Mammography CAD", "CAD SR", "111036 DCM Mammography CAD Report", "Center and Outline, image by reference",
        "SCT, SRT", "mm2", "no plane", _mammography,
        [Row(ONE, 10.0, 9.6, derived=True, truth=False), Row(OTHER, 10.0, 9.6, derived=True, truth=False),
         Row(ONE, truth=False)],
        ["not_a_lesion", "not_for_presentation", "part_of_a_finding"],
    ),
    Dialect(
        "Mammography CAD, circles", "CAD SR", "111036 DCM Mammography CAD Report", "Outline, image below it",
        "SRT", "none", "no plane", _circles, [Row(ONE, 8.0, 5.0, derived=True, truth=False)],
    ),
    Dialect(
        "Chest CAD", "CAD SR", "112000 DCM Chest CAD Report", "Outline over slices; NUM > SCOORD", "SCT", "mm",
        "oblique", _chest,
        [Row(SECOND, 8.0, 5.0, derived=True, truth=False), Row(FIRST, 10.0, truth=False)], ["smaller_slice"],
    ),
    Dialect(
        "Colon CAD", "CAD SR", "112220 DCM Colon CAD Report", "Center, image below it", "SCT", "none", "oblique",
        _colon, [Row(SECOND, truth=False)], ["not_a_lesion"],
    ),
    Dialect(
        "Key images", "KO", "113000 DCM Of Interest", "IMAGE", "DCM", "none", "oblique",
        lambda: [*ct_series(), key_objects(
            person("One^Reader"), selected(FIRST), selected(SECOND), description="TL1 and TL2")],
        [Row(FIRST, truth=False), Row(SECOND, truth=False)],
    ),
    Dialect(
        "Key frames", "KO", "113008 DCM For Peer Review", "IMAGE with frame numbers", "DCM", "none", "coronal",
        lambda: [enhanced_ct(), key_objects(
            selected(ONE, [2, 4], ENHANCED_CT), title=("113008", "DCM", "For Peer Review"))],
        [Row(ONE, frame=2, truth=False), Row(ONE, frame=4, truth=False)],
    ),
    Dialect(
        "A rejection note", "KO", "113001 DCM Rejected for Quality Reasons", "IMAGE", "DCM", "none", "oblique",
        lambda: [*ct_series(), key_objects(selected(FIRST), title=("113001", "DCM", "Rejected for Quality Reasons"))],
        [], ["rejection_note"],
    ),
    Dialect(
        "A manifest", "KO", "113030 DCM Manifest", "IMAGE", "DCM", "none", "oblique",
        lambda: [*ct_series(), key_objects(selected(FIRST), title=("113030", "DCM", "Manifest"))], [], ["not_a_mark"],
    ),
]  # fmt: skip
