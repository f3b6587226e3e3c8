"""What is no DICOM document: AIM files, CSV bookmarks, private elements; made in code.

Points are those of the project, (column, row) with (0, 0) in the centre of the first pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

from builders import SERIES, STUDY, Line, Point, instance
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.wrapping import wrap_aim, wrap_bookmarks

AIM_4 = "gme://caCORE.caCORE/4.4/edu.northwestern.radiology.AIM"
AIM_3 = "gme://caCORE.caCORE/3.2/edu.northwestern.radiology.AIM"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FIRST, SECOND, THIRD = (f"{SERIES}.{n}" for n in (1, 2, 3))
COLLECTION = STUDY + ".5.1"
VENDOR = "MARKS OF A VENDOR"
PRIVATE_CLASS = "1.2.826.0.1.3680043.10.99.1"


def valued(name: str, value: object) -> str:
    return f"<{name} value={quoteattr(str(value))}/>"


def rooted(name: str, uid: str) -> str:
    return f"<{name} root={quoteattr(uid)}/>"


def coded(code: str, scheme: str, meaning: str) -> str:
    shown = f'<iso:displayName xmlns:iso="uri:iso.org:21090" value={quoteattr(meaning)}/>'
    return f"<typeCode code={quoteattr(code)} codeSystemName={quoteattr(scheme)}>{shown}</typeCode>"


def markup(
    kind: str, points: Sequence[Sequence[float]], *, image: str = FIRST, frame: int = 1, uid: str = "1.9"
) -> str:
    """A MarkupEntity of AIM 4; two numbers a point are pixels of the project, three are mm."""
    solid = kind.startswith("Three")
    dimension = "three" if solid else "two"
    coordinates = "".join(
        f"<{dimension.title()}DimensionSpatialCoordinate>{valued('coordinateIndex', index)}"
        + "".join(valued(name, v if solid else v + 0.5) for name, v in zip("xyz", point, strict=False))
        + f"</{dimension.title()}DimensionSpatialCoordinate>"
        for index, point in enumerate(points)
    )
    where = (
        rooted("frameOfReferenceUid", STUDY + ".9")
        if solid
        else rooted("imageReferenceUid", image) + valued("referencedFrameNumber", frame)
    )
    collection = f"{dimension}DimensionSpatialCoordinateCollection"
    return (
        f'<MarkupEntity xsi:type="{kind}">{rooted("uniqueIdentifier", uid)}{valued("includeFlag", "true")}{where}'
        f"<{collection}>{coordinates}</{collection}></MarkupEntity>"
    )


def calculation(description: str, value: float, unit: str = "mm", *, uid: str = "", code: str = "") -> str:
    """A CalculationEntity with a compact result."""
    return (
        f"<CalculationEntity>{rooted('uniqueIdentifier', uid)}{coded(code or 'X', '99EPAD', description)}"
        f"{valued('description', description)}<calculationResultCollection>"
        f'<CalculationResult type="Scalar" xsi:type="CompactCalculationResult">{valued("unitOfMeasure", unit)}'
        f"{valued('value', value)}</CalculationResult></calculationResultCollection></CalculationEntity>"
    )


def statement(subject: str, about: str) -> str:
    kind = "CalculationEntityReferencesMarkupEntityStatement"
    return (
        f'<ImageAnnotationStatement xsi:type="{kind}">{rooted("subjectUniqueIdentifier", subject)}'
        f"{rooted('objectUniqueIdentifier', about)}</ImageAnnotationStatement>"
    )


def annotation(
    *markups: str,
    calculations: Sequence[str] = (),
    statements: Sequence[str] = (),
    name: str = "Lesion1~",
    uid: str = COLLECTION + ".1",
) -> str:
    finding = f"<ImagingObservationEntity>{coded('RID3874', 'RadLex', 'nodule')}</ImagingObservationEntity>"
    site = f"<ImagingPhysicalEntity>{coded('RID1301', 'RadLex', 'lung')}</ImagingPhysicalEntity>"
    return (
        f"<ImageAnnotation>{rooted('uniqueIdentifier', uid)}"
        f"{coded('RECIST', '99EPAD', 'RECIST template')}{valued('dateTime', '20260302093000')}{valued('name', name)}"
        f"{valued('comment', 'CT / Thorax')}"
        f"<imagingPhysicalEntityCollection>{site}</imagingPhysicalEntityCollection>"
        f"<calculationEntityCollection>{''.join(calculations)}</calculationEntityCollection>"
        f"<imagingObservationEntityCollection>{finding}</imagingObservationEntityCollection>"
        f"<markupEntityCollection>{''.join(markups)}</markupEntityCollection>"
        f"<imageAnnotationStatementCollection>{''.join(statements)}</imageAnnotationStatementCollection>"
        "<imageReferenceEntityCollection><ImageReferenceEntity><imageStudy>"
        f"{rooted('instanceUid', STUDY)}<imageSeries>{rooted('instanceUid', SERIES)}</imageSeries>"
        "</imageStudy></ImageReferenceEntity></imageReferenceEntityCollection></ImageAnnotation>"
    )


USER = f"<user>{valued('name', 'Reader^One')}{valued('loginName', 'one')}</user>"


def aim4(*annotations: str, user: str = USER, extra: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ImageAnnotationCollection xmlns="{AIM_4}" xmlns:xsi="{XSI}" '
        f'aimVersion="AIMv4_0">{rooted("uniqueIdentifier", COLLECTION)}{valued("dateTime", "20260302093000")}{user}'
        f"<person>{valued('name', 'Nobody^Known')}{valued('id', 'P1')}</person>{extra}"
        f"<imageAnnotations>{''.join(annotations)}</imageAnnotations></ImageAnnotationCollection>"
    ).encode()


def aim3(kind: str, points: Sequence[Point], length_cm: float | None = None, image: str = FIRST) -> bytes:
    """AIM 3: everything in attributes, the user and the study inside an element of the same name."""
    coordinates = "".join(
        f'<SpatialCoordinate xsi:type="TwoDimensionSpatialCoordinate" coordinateIndex="{n}" '
        f'imageReferenceUID="{image}" referencedFrameNumber="1" x="{x + 0.5}" y="{y + 0.5}"/>'
        for n, (x, y) in enumerate(points)
    )
    stated = (
        f'<calculationCollection><Calculation uid="7" codeValue="X" codeMeaning="Length" description="Length">'
        f'<calculationResultCollection><CalculationResult unitOfMeasure="cm"><calculationDataCollection>'
        f'<CalculationData value="{length_cm}"/></calculationDataCollection></CalculationResult>'
        "</calculationResultCollection></Calculation></calculationCollection>"
        if length_cm is not None
        else ""
    )
    return (
        f'<ImageAnnotation xmlns="{AIM_3}" xmlns:xsi="{XSI}" aimVersion="3.0" uniqueIdentifier="{COLLECTION}.3" '
        f'name="Target 1" dateTime="2026-03-02T09:30:00" comment="old">{stated}'
        '<user><User name="Reader^Two" loginName="two"/></user><imageReferenceCollection><ImageReference>'
        f'<imageStudy><ImageStudy instanceUID="{STUDY}"/></imageStudy></ImageReference></imageReferenceCollection>'
        f'<geometricShapeCollection><GeometricShape xsi:type="{kind}" includeFlag="true"><spatialCoordinateCollection>'
        f"{coordinates}</spatialCoordinateCollection></GeometricShape></geometricShapeCollection></ImageAnnotation>"
    ).encode()


def in_file(ds: Dataset) -> Dataset:
    """The same, ready to be written."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(ds.SOPClassUID)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
    return ds


def aim_object(content: bytes) -> Dataset:
    return in_file(wrap_aim(content))


def bookmark_object(header: str, *rows: str, delimiter: str = ",") -> Dataset:
    return in_file(wrap_bookmarks(STUDY, header + "\n", [row + "\n" for row in rows], delimiter, None))


def flat(*lines: Line, shift: float = 0.0) -> list[float]:
    return [value + shift for line in lines for point in line for value in point]


def private_object(marks: Sequence[Mapping[int, object]], *, block: int = 0x10, base: Dataset | None = None) -> Dataset:
    """Marks in a private sequence at element 10 of the vendor's block, which may be any block.

    marks: last byte of a private element → its values (FD), or a standard tag → a UID.
    """
    ds = instance(PRIVATE_CLASS, STUDY + ".6.1", "OT", STUDY + ".6", STUDY) if base is None else base
    ds.add_new((0x0041, block), "LO", VENDOR)
    items = []
    for mark in marks:
        item = Dataset()
        item.add_new((0x0041, 0x0010), "LO", "ANOTHER CREATOR")
        item.add_new((0x0041, block + 1), "LO", VENDOR)
        for place, value in mark.items():
            if place > 0xFF:
                item.add_new(place, "UI", value)
            else:
                item.add_new((0x0041, (block + 1) << 8 | place), "FD" if isinstance(value, list) else "LO", value)
        items.append(item)
    ds.add_new((0x0041, block << 8 | 0x10), "SQ", Items(items))
    return ds
