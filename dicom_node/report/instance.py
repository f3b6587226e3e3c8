"""A composite object that is built attribute by attribute: what every one of them begins with. Pure.

highdicom builds the documents and the segmentation, whose rules are long; for the other encodings it would take longer
than what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from db.codes import Code
from dicom_node.report.context import Context, Identity, InstanceReference, ModelDescription

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")


def new_instance(sop_class_uid: str, modality: str, context: Context, identity: Identity) -> Dataset:
    """The file meta information, and the modules SOP Common, Series and General Equipment; `finish` gives the rest.

    Source: PS3.3 C.12.1, C.7.3.1, C.7.5.1.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(identity.sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds, model = Dataset(), context.model
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, identity.sop_instance_uid
    ds.SeriesInstanceUID, ds.SeriesNumber = identity.series_instance_uid, identity.series_number
    ds.InstanceNumber = identity.instance_number
    ds.Modality = modality
    ds.Manufacturer, ds.ManufacturerModelName = model.manufacturer, model.name
    ds.DeviceSerialNumber, ds.SoftwareVersions = model.device_uid, model.software_version
    return ds


def algorithm_item(model: ModelDescription) -> Dataset:
    """Who computed something (PS3.3 table 10-19)."""
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [coded(ARTIFICIAL_INTELLIGENCE)]
    item.AlgorithmName, item.AlgorithmVersion = model.name, model.model_id
    return item


def coded(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item


def carry_losses(ds: Dataset, source: Dataset) -> None:
    """What was lost once stays lost (C.7.6.1.1.5)."""
    ds.LossyImageCompression = "01" if source.get("LossyImageCompression") == "01" else "00"
    if ds.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if source.get(keyword) not in (None, ""):
                setattr(ds, keyword, source[keyword].value)


def hierarchy(instances: Iterable[InstanceReference]) -> list[Dataset]:
    """The Hierarchical SOP Instance Reference Macro (PS3.3 table C.17-3): studies, their series, each instance once."""
    studies: dict[str, dict[str, dict[str, Dataset]]] = {}
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
        series = studies.setdefault(instance.study_instance_uid, {}).setdefault(instance.series_instance_uid, {})
        series.setdefault(instance.sop_instance_uid, item)
    made = []
    for study_uid, of_study in studies.items():
        study = Dataset()
        study.StudyInstanceUID, study.ReferencedSeriesSequence = study_uid, []
        for series_uid, members in of_study.items():
            series_item = Dataset()
            series_item.SeriesInstanceUID, series_item.ReferencedSOPSequence = series_uid, list(members.values())
            study.ReferencedSeriesSequence.append(series_item)
        made.append(study)
    return made
