"""A volume as a series of CT images. Pure; its promise: every image passes dciodvfy without an error."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from dicom_node.phantom.acquisition import Acquisition
from dicom_node.phantom.canvas import Field
from dicom_node.phantom.physique import Phase, Physique
from dicom_node.phantom.settings import Visit, uid_of

MANUFACTURER = "Phantom Works"
IMPLEMENTATION_CLASS_UID = UID(uid_of("implementation"))
_INTERCEPT = -1024


def file_meta_of(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    """Group 2 of a file in Explicit VR Little Endian (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    return meta


def ct_series(hu: Field, visit: Visit, physique: Physique, acquisition: Acquisition) -> list[Dataset]:
    """One CT image a slice, in the order of the volume's slices (towards the head).

    hu: (S, H, W). Pixels are 12 bits in 16, unsigned, with a rescale intercept of -1024.
    """
    stored = np.clip(np.rint(hu) - _INTERCEPT, 0, 4095).astype("<u2")
    return [_image(stored[s], s, visit, physique, acquisition) for s in range(len(stored))]


def _image(pixels: np.ndarray, s: int, visit: Visit, physique: Physique, acquisition: Acquisition) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = visit.uid("image", s)
    ds.file_meta = file_meta_of(CTImageStorage, ds.SOPInstanceUID)
    _patient_and_study(ds, visit, physique, acquisition)
    _series_and_equipment(ds, visit, physique, acquisition)
    _plane(ds, s, acquisition)
    number = acquisition.instance_number(s)
    taken_at = acquisition.started_at + timedelta(seconds=40 + 0.3 * number)
    ds.AcquisitionDate = ds.ContentDate = taken_at.strftime("%Y%m%d")
    ds.AcquisitionTime = ds.ContentTime = taken_at.strftime("%H%M%S.%f")
    ds.InstanceNumber, ds.AcquisitionNumber = number, 1
    kind = ["DERIVED", "SECONDARY", "AXIAL"] if acquisition.oblique else ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImageType = kind
    ds.ImageComments = "synthetic phantom, not a patient"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(_INTERCEPT), "1", "HU"
    ds.WindowCenter, ds.WindowWidth = ("-550", "1500") if acquisition.region.body_part == "CHEST" else ("50", "400")
    ds.add_new("PixelData", "OW", pixels.tobytes())
    return ds


def _patient_and_study(ds: Dataset, visit: Visit, physique: Physique, acquisition: Acquisition) -> None:
    rng = visit.patient_rng("demographics")
    years = int(rng.integers(34, 86))
    started = acquisition.started_at
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = f"Phantom^{visit.patient:04d}"
    ds.PatientID = visit.patient_id
    ds.IssuerOfPatientID = MANUFACTURER
    ds.PatientBirthDate = f"{2024 - years}{int(rng.integers(1, 13)):02d}{int(rng.integers(1, 29)):02d}"
    ds.PatientSex = "F" if physique.female else "M"
    ds.PatientAge = (
        f"{started.year - int(ds.PatientBirthDate[:4]) - (started.strftime('%m%d') < ds.PatientBirthDate[4:]):03d}Y"
    )
    ds.PatientComments = "synthetic phantom, not a patient"
    ds.StudyInstanceUID = visit.uid("study")
    ds.StudyDate, ds.StudyTime = started.strftime("%Y%m%d"), started.strftime("%H%M%S")
    ds.StudyID = f"{visit.index}"
    ds.AccessionNumber = f"PH{visit.seed:04d}{visit.index:05d}"[:16]
    ds.ReferringPhysicianName = "Referrer^Synthetic"
    ds.StudyDescription = f"CT {acquisition.region.protocol} (synthetic phantom)"


def _series_and_equipment(ds: Dataset, visit: Visit, physique: Physique, acquisition: Acquisition) -> None:
    ds.Modality = "CT"
    ds.SeriesInstanceUID = visit.uid("series", "ct")
    ds.SeriesNumber = 2
    ds.SeriesDate, ds.SeriesTime = ds.StudyDate, ds.StudyTime
    ds.SeriesDescription = (
        f"{physique.phase} {acquisition.grid.interval_mm:.1f} {acquisition.kernel.name} synthetic phantom"
    )
    ds.ProtocolName = acquisition.region.protocol
    ds.BodyPartExamined = acquisition.region.body_part
    ds.PatientPosition = "HFS"
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, "Torso 1"
    ds.InstitutionName = "Synthetic Hospital"
    ds.StationName, ds.DeviceSerialNumber, ds.SoftwareVersions = "PHANTOM1", f"PW-{visit.seed}", "1.0"
    ds.KVP = "120"
    ds.DataCollectionDiameter = "500"
    diameter = acquisition.grid.columns * acquisition.grid.spacing.col_mm
    ds.ReconstructionDiameter = f"{diameter:.1f}"
    ds.ConvolutionKernel = acquisition.kernel.name
    ds.GantryDetectorTilt, ds.TableHeight, ds.RotationDirection = "0", "150", "CW"
    ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = "500", "220", "110"
    if physique.phase is not Phase.NATIVE:
        ds.ContrastBolusAgent, ds.ContrastBolusRoute = "iodine, synthetic", "IV"


def frame_of_reference_uid(series_instance_uid: str) -> str:
    return uid_of(series_instance_uid, "frame of reference")


def _plane(ds: Dataset, s: int, acquisition: Acquisition) -> None:
    plane = acquisition.plane(s)
    ds.FrameOfReferenceUID = frame_of_reference_uid(ds.SeriesInstanceUID)
    ds.PositionReferenceIndicator = ""
    ds.ImagePositionPatient = [f"{v:.4f}" for v in (plane.origin.x, plane.origin.y, plane.origin.z)]
    ds.ImageOrientationPatient = [f"{v:.8f}" for v in (*plane.along_row, *plane.along_column)]
    ds.PixelSpacing = [f"{plane.spacing.row_mm:.4f}", f"{plane.spacing.col_mm:.4f}"]
    ds.SliceThickness = f"{acquisition.grid.interval_mm:.2f}"
    ds.SliceLocation = f"{plane.position_mm:.3f}"
