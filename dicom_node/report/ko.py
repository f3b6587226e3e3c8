"""Lesions → a Key Object Selection of their key slices. Pure.

It draws nothing: it leads a reader to the slices, in any PACS that knows key images.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from db.codes import Code
from dicom_node.report.captions import line_of, model_line
from dicom_node.report.context import Context, Identity, InstanceReference
from dicom_node.report.header import finish
from dicom_node.report.instance import coded, hierarchy, new_instance
from dicom_node.report.key_slices import KeySlice, key_slices
from dicom_node.report.subject import Subject

SOP_CLASS_UID = str(KeyObjectSelectionDocumentStorage)

OF_INTEREST = Code("113000", "DCM", "Of Interest")
"""Of CID 7010; the other titles say more than a model knows, such as For Surgery."""

DESCRIPTION = Code("113012", "DCM", "Key Object Description")
LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
DEVICE = Code("121007", "DCM", "Device")
DEVICE_UID = Code("121012", "DCM", "Device Observer UID")
DEVICE_NAME = Code("121013", "DCM", "Device Observer Name")
DEVICE_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
DEVICE_MODEL = Code("121015", "DCM", "Device Observer Model Name")


def key_object_selection(subject: Subject, identity: Identity) -> Dataset | None:
    """The selection of all key slices; None without a lesion.

    One description speaks of all lesions, for the template has room for one.
    """
    slices = key_slices(subject)
    if not slices:
        return None
    images = [content_item("CONTAINS", "IMAGE", None, ReferencedSOPSequence=[each.reference()]) for each in slices]
    named = [InstanceReference.of(each.header) for each in slices]
    ds = selection(OF_INTEREST, description(subject, slices), images, named, subject.context, identity)
    return finish(ds, subject.context, "lesions, KO")


def selection(
    title: Code,
    text: str,
    references: Sequence[Dataset],
    named: Sequence[InstanceReference],
    context: Context,
    identity: Identity,
) -> Dataset:
    """A Key Object Selection Document of its title, its description and what it refers to, not yet finished.

    references: the content items; named: the instances in them, which are its evidence.
    Source: PS3.16 TID 2010; PS3.3 A.35.4.
    """
    ds = new_instance(SOP_CLASS_UID, "KO", context, identity)
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.CurrentRequestedProcedureEvidenceSequence = hierarchy(named)
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [coded(title)]
    ds.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    ds.ContentTemplateSequence = [template]
    ds.ContentSequence = [
        content_item("HAS CONCEPT MOD", "CODE", LANGUAGE, ConceptCodeSequence=[coded(ENGLISH)]),
        *_observer(context),
        content_item("CONTAINS", "TEXT", DESCRIPTION, TextValue=text),
        *references,
    ]
    return ds


def description(subject: Subject, slices: Sequence[KeySlice]) -> str:
    """Which lesions the key slices show, a line for each, and who found them."""
    lines = [(lesion.number, line_of(lesion, each)) for each in slices for lesion in each.lesions]
    return "\r\n".join([*(line for _, line in sorted(lines)), model_line(subject.context.model)])


def _observer(context: Context) -> list[Dataset]:
    """TID 1002 and 1004: a device has found this."""
    model, relation = context.model, "HAS OBS CONTEXT"
    return [
        content_item(relation, "CODE", OBSERVER_TYPE, ConceptCodeSequence=[coded(DEVICE)]),
        content_item(relation, "UIDREF", DEVICE_UID, UID=model.device_uid),
        content_item(relation, "TEXT", DEVICE_NAME, TextValue=model.name),
        content_item(relation, "TEXT", DEVICE_MANUFACTURER, TextValue=model.manufacturer),
        content_item(relation, "TEXT", DEVICE_MODEL, TextValue=f"{model.name} {model.model_id}"),
    ]


def content_item(relation: str, value_type: str, concept: Code | None, **values: object) -> Dataset:
    """A content item; values: its attributes by keyword."""
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, value_type
    if concept is not None:
        item.ConceptNameCodeSequence = [coded(concept)]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
