"""CAD reports and key object selections made in code, on images of `builders`."""

from __future__ import annotations

from collections.abc import Sequence

from builders import (
    ALGORITHM,
    CT,
    Point,
    code,
    container,
    image,
    item,
    scoord,
    sr,
    text,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

CodeTriple = tuple[str, str, str]

MAMMOGRAPHY_CAD = "1.2.840.10008.5.1.4.1.1.88.50"
CHEST_CAD = "1.2.840.10008.5.1.4.1.1.88.65"
COLON_CAD = "1.2.840.10008.5.1.4.1.1.88.69"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
MG = "1.2.840.10008.5.1.4.1.1.1.2"

MAMMOGRAPHY_ROOT: CodeTriple = ("111036", "DCM", "Mammography CAD Report")
CHEST_ROOT: CodeTriple = ("112000", "DCM", "Chest CAD Report")
COLON_ROOT: CodeTriple = ("112220", "DCM", "Colon CAD Report")
LIBRARY: CodeTriple = ("111028", "DCM", "Image Library")
SUMMARY: CodeTriple = ("111017", "DCM", "CAD Processing and Findings Summary")
SINGLE: CodeTriple = ("111059", "DCM", "Single Image Finding")
COMPOSITE: CodeTriple = ("111015", "DCM", "Composite Feature")
CENTER: CodeTriple = ("111010", "DCM", "Center")
OUTLINE: CodeTriple = ("111041", "DCM", "Outline")
INTENT: CodeTriple = ("111056", "DCM", "Rendering Intent")
VERSION: CodeTriple = ("111003", "DCM", "Algorithm Version")
OF_INTEREST: CodeTriple = ("113000", "DCM", "Of Interest")
DESCRIPTION: CodeTriple = ("113012", "DCM", "Key Object Description")
PRESENTED: CodeTriple = ("111150", "DCM", "Presentation Required: Rendering device is expected to present")
NOT_PRESENTED: CodeTriple = ("111152", "DCM", "Not for Presentation: Rendering device expected not to present")
CLUSTER: CodeTriple = ("129769006", "SCT", "Calcification Cluster")
ONE_CALCIFICATION: CodeTriple = ("129770007", "SCT", "Individual Calcification")
DENSITY: CodeTriple = ("F-01796", "SRT", "Mammography breast density")
LEFT_BREAST: CodeTriple = ("80248007", "SCT", "Left breast")


def pointing(*identifier: int, relationship: str = "SELECTED FROM") -> Dataset:
    """An item by reference: to a place in the tree such as 1, 1, 2."""
    ds = item("", None, relationship=relationship, ReferencedContentItemIdentifier=list(identifier))
    del ds.ValueType
    return ds


def coordinates(concept: CodeTriple, kind: str, points: Sequence[Point], *below: Dataset) -> Dataset:
    """A SCOORD with a name: Center or Outline (TID 4021, 4107, 4129)."""
    ds = scoord(kind, points, *below, relationship="HAS PROPERTIES")
    ds.ConceptNameCodeSequence = code(concept, concept).ConceptNameCodeSequence
    return ds


def algorithm(name: str, version: str) -> list[Dataset]:
    return [text(ALGORITHM, name, relationship="HAS PROPERTIES"), text(VERSION, version, relationship="HAS PROPERTIES")]


def finding(value: CodeTriple, *below: Dataset, intent: CodeTriple = PRESENTED) -> Dataset:
    """A Single Image Finding with its rendering intent in front."""
    ds = code(SINGLE, value, "INFERRED FROM")
    ds.ContentSequence = Items([code(INTENT, intent, "HAS CONCEPT MOD"), *below])
    for number in below:
        if number.get("ValueType") == "NUM":
            number.RelationshipType = "HAS PROPERTIES"
    return ds


def composite(value: CodeTriple, *below: Dataset) -> Dataset:
    """A Composite Feature, inferred from single findings."""
    ds = code(COMPOSITE, value, "INFERRED FROM")
    ds.ContentSequence = Items([code(INTENT, PRESENTED, "HAS CONCEPT MOD"), *below])
    return ds


def detections(*performed: tuple[CodeTriple, str, str]) -> Dataset:
    """The summary of detections: what was looked for, by which algorithm in which version (TID 4015, 4017)."""
    each = []
    for value, name, version in performed:
        one = code(("111022", "DCM", "Detection Performed"), value)
        one.ContentSequence = Items(algorithm(name, version))
        each.append(one)
    status = code(("111064", "DCM", "Summary of Detections"), ("111222", "DCM", "Succeeded"))
    successful = container(("111063", "DCM", "Successful Detections"), *each)
    successful.RelationshipType = "INFERRED FROM"
    status.ContentSequence = Items([successful])
    return status


def library(*uids: str, side: CodeTriple = LEFT_BREAST, sop_class_uid: str = MG) -> Dataset:
    """An Image Library: item n of it is the image n, with the side that it shows."""
    entries = []
    for uid in uids:
        entry = image(uid, sop_class_uid=sop_class_uid, relationship="CONTAINS")
        entry.ContentSequence = Items([code(("111027", "DCM", "Image Laterality"), side, "HAS ACQ CONTEXT")])
        entries.append(entry)
    return container(LIBRARY, *entries)


def cad_sr(
    *findings: Dataset,
    images: Dataset | None = None,
    performed: Sequence[tuple[CodeTriple, str, str]] = (),
    root: CodeTriple = MAMMOGRAPHY_ROOT,
    sop_class_uid: str = MAMMOGRAPHY_CAD,
) -> Dataset:
    """A CAD report: item 1.1 is the Image Library if there is one; the findings stand below the summary."""
    summary = code(SUMMARY, ("111242", "DCM", "All algorithms succeeded; with findings"))
    if findings:
        for each in findings:
            each.RelationshipType = "CONTAINS"
        impression = container(("111034", "DCM", "Individual Impression/Recommendation"), *findings)
        impression.RelationshipType = "INFERRED FROM"
        summary.ContentSequence = Items([impression])
    parts = [summary] if images is None else [images, summary]
    if performed:
        parts.append(detections(*performed))
    return sr(*parts, root=root, sop_class_uid=sop_class_uid)


def key_objects(
    *content: Dataset, title: CodeTriple | None = OF_INTEREST, description: str = "", **document: object
) -> Dataset:
    """A Key Object Selection (TID 2010)."""
    described = [text(DESCRIPTION, description, relationship="CONTAINS")] if description else []
    ds = sr(*described, *content, root=title, sop_class_uid=KEY_OBJECTS, **document)  # type: ignore[arg-type]
    ds.Modality = "KO"
    return ds


def selected(uid: str, frames: Sequence[int] = (), sop_class_uid: str = CT) -> Dataset:
    """One image of a selection."""
    return image(uid, frames, sop_class_uid, relationship="CONTAINS")
