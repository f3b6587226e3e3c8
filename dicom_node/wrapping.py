"""What is no DICOM object → one, so that it is stored, settled and harvested like all others. Pure.

Promise: the same content becomes the same object, byte for byte, whenever and wherever it is imported. The patient is
not written where the study is known: its images say who it is, and a file does not know who issued the patient's ID.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from db.errors import ContentError
from db.uids import uid_from
from dicom_node.part10 import EXPLICIT_LE, STUDY_INSTANCE_UID
from dicom_node.store import Received
from mining.drawings import Unusable
from mining.readers.aim_xml import Element, read_xml
from mining.readers.encapsulated import AIM_DOCUMENT, BOOKMARKS, MAX_BYTES
from mining.written import moment_in

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")


def wrap_aim(content: bytes) -> Dataset:
    """An AIM document as an object of the study that its first image is of.

    Its SOP Instance UID is made of the document's own identifier and its content: an annotation that was changed and
    exported again is another document, whose later date counts, and no contradiction to the first.
    Raises ContentError if it is no AIM document, or none that can be read.
    """
    if len(content) > MAX_BYTES:
        raise ContentError("is an XML file too large for an annotation", bytes=len(content), at_most=MAX_BYTES)
    root = read_xml(content)
    if isinstance(root, Unusable):
        raise ContentError(root.reason)
    annotation = root.first("imageannotation")
    if annotation is None:
        raise ContentError("is XML, but no AIM document: there is no ImageAnnotation in it")
    own = root.says("uniqueidentifier")
    ds = _object(AIM_DOCUMENT, content, "text/xml", "AIM document", own)
    study = next((uid for uid in _studies(root) if _is_uid(uid)), "")
    if study:
        _set_study(ds, study)
        ds.SeriesInstanceUID = uid_from("AIM series", study)
    else:
        person = root.first("person")
        ds.PatientID = "" if person is None else _plain(person.says("id"))
    written = (moment_in(each.says("datetime")) for each in (root, annotation))
    _set_moment(ds, next((moment for moment in written if moment is not None), None))
    equipment = root.first("equipment")
    if equipment is not None:
        ds.Manufacturer = _plain(equipment.says("manufacturername"))
        ds.ManufacturerModelName = _plain(equipment.says("manufacturermodelname"))
        ds.SoftwareVersions = _plain(equipment.says("softwareversion"))
    return ds


def wrap_bookmarks(
    study_instance_uid: str, header: str, rows: Sequence[str], delimiter: str, content_at: datetime | None
) -> Dataset:
    """Rows of a CSV file about one study, as they stand in it, behind the line of names and what separates cells.

    header and rows end with a line feed. content_at: when the latest of them was measured.
    Raises ContentError if that is no Study Instance UID.
    """
    if not _is_uid(study_instance_uid):
        raise ContentError("there is no valid Study Instance UID")
    content = f"sep={delimiter}\n{header}{''.join(rows)}".encode("utf-8", "replace")
    ds = _object(BOOKMARKS, content, "text/csv", "Bookmarks", study_instance_uid)
    _set_study(ds, study_instance_uid)
    ds.SeriesInstanceUID = uid_from("bookmark series", study_instance_uid)
    _set_moment(ds, content_at)
    return ds


def received(ds: Dataset) -> Received:
    """The object as it comes to the store."""
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    write_dataset(file, ds)
    return Received(file.getvalue(), EXPLICIT_LE, str(ds.SOPClassUID), str(ds.SOPInstanceUID), binding=False)


def _object(sop_class_uid: str, content: bytes, mime_type: str, title: str, own: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = uid_from(title, own, hashlib.sha256(content).hexdigest())
    ds.Modality = "SR"
    ds.DocumentTitle = title
    ds.MIMETypeOfEncapsulatedDocument = mime_type
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    ds.EncapsulatedDocumentLength = len(content)
    return ds


def _set_study(ds: Dataset, uid: str) -> None:
    """As the study's images have it, be it as DICOM wants it (`1.2.03` is not) or not."""
    ds.add(DataElement(STUDY_INSTANCE_UID, "UI", uid, validation_mode=IGNORE))


def _set_moment(ds: Dataset, moment: datetime | None) -> None:
    if moment is not None:
        ds.ContentDate, ds.ContentTime = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
        ds.TimezoneOffsetFromUTC = "+0000"


def _studies(root: Element) -> list[str]:
    return [*(each.says("instanceuid") for each in root.all("imagestudy")), root.says("studyinstanceuid")]


def _plain(text: str) -> str:
    """As VR LO takes it (PS3.5 6.2)."""
    return "".join(c for c in text if c.isprintable() and c != "\\")[:64]


def _is_uid(text: str) -> bool:
    return len(text) <= 64 and _UID.fullmatch(text) is not None
