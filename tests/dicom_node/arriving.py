"""Small objects as they arrive, and what receives them, for the tests of the receiving part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, BasicTextSRStorage, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from db.engine import Sessions
from db.local_files import LocalFiles
from dicom_node.scp import Receiver, ReceiveSettings, Sender
from dicom_node.store import Received, Store

SHARED = Path(__file__).parents[3] / "shared" / "data"
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
QUIET = timedelta(seconds=60)
SITE_KEY = b"key of the test site"
STUDY = "1.2.826.0.1.3680043.10.7"


def ct(number: int = 1, study: str = STUDY, series: int = 1, **changes: object) -> Dataset:
    """A CT slice of 6 × 4 pixels, anisotropic and oblique; slices of a series are 2.5 mm apart."""
    tilt = np.deg2rad(20)
    along_row, along_column = np.array([np.cos(tilt), np.sin(tilt), 0]), np.array([0.0, 0.0, -1.0])
    origin = np.array([-21.5, 13.25, 40.0]) + 2.5 * number * np.cross(along_row, along_column)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"{study}.{series}.{number}"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20261120", "101112", "A-4"
    ds.Modality, ds.Manufacturer = "CT", "Maker"
    ds.StudyDescription, ds.SeriesDescription = "CT Thorax", "Lung"
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = "Müller^Jörg", "P-17", "Ward"
    ds.BodyPartExamined, ds.ConvolutionKernel = "CHEST", "B60f"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.{series}"
    ds.SeriesNumber, ds.InstanceNumber = series, number
    ds.ImagePositionPatient = [round(float(v), 6) for v in origin]
    ds.ImageOrientationPatient = [round(float(v), 8) for v in (*along_row, *along_column)]
    ds.FrameOfReferenceUID = f"{study}.9"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelSpacing = 6, 4, [0.9, 0.6]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope = 0, 1
    ds.PixelData = (np.arange(24, dtype="<i2") + 100 * number).tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def document(number: int = 1, text: str = "No lesion.", study: str = STUDY, **changes: object) -> Dataset:
    """A report of one sentence."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = BasicTextSRStorage, f"{study}.8.{number}"
    ds.Modality, ds.PatientID = "SR", "P-17"
    ds.PatientName = "Mueller"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.8"
    ds.ValueType = "CONTAINER"
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", text
    ds.ContentSequence = Items([item])
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """The bytes of a data set, as they come behind the command set."""
    syntax = UID(transfer_syntax_uid)
    content = encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert content is not None
    return content


def received(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian, analyse: bool = False) -> Received:
    return Received(
        encoded(ds, transfer_syntax_uid),
        transfer_syntax_uid,
        ds.get("SOPClassUID", ""),
        ds.get("SOPInstanceUID", ""),
        "PACS",
        analyse,
    )


def with_meta(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Dataset:
    """The same object, ready for an SCU or a file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    ds.file_meta.MediaStorageSOPClassUID = UID(ds.SOPClassUID)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
    return ds


@contextmanager
def receiving(store: Store, *senders: Sender, **settings: object) -> Iterator[Receiver]:
    """A receiver on a free port, which ends with the test."""
    chosen = senders or (Sender("PACS"),)
    receiver = Receiver(ReceiveSettings("NODE", "127.0.0.1", 0, chosen, **settings), store)  # type: ignore[arg-type]
    try:
        yield receiver
    finally:
        receiver.stop(drain_s=5)


@contextmanager
def associated(
    port: int, contexts: Sequence[tuple[str, Sequence[str]]], calling: str = "PACS", called: str = "NODE"
) -> Iterator[Association]:
    """An association of a plain pynetdicom SCU, whether it was accepted or not."""
    ae = AE(calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
    for abstract_syntax, transfer_syntaxes in contexts:
        ae.add_requested_context(abstract_syntax, list(transfer_syntaxes))
    assoc = ae.associate("127.0.0.1", port, ae_title=called)
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def new_store(sessions: Sessions, folder: Path, min_free_bytes: int = 0) -> Store:
    return Store(sessions, LocalFiles(folder), min_free_bytes)
