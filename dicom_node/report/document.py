"""The document around the measurement groups: a Comprehensive 3D SR by TID 1500, its root and its header. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from db.codes import Code
from dicom_node.report.concepts import concept
from dicom_node.report.context import Context, Identity
from dicom_node.report.header import UTF_8, finish
from dicom_node.report.library import image_library
from dicom_node.report.source import references
from dicom_node.report.subject import Subject

SOP_CLASS_UID = str(Comprehensive3DSRStorage)

COMMENT = Code("121106", "DCM", "Comment")
FINDING = Code("121071", "DCM", "Finding")
NO_FINDING = Code("373572006", "SCT", "Clinical finding absent")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
CT_UNSPECIFIED = Code("25045-6", "LN", "CT unspecified body region")

MEASUREMENTS_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
TEXT_TITLE = Code("126001", "DCM", "Oncology Measurement Report")
"""OHIF shows this one as text; under the other title it looks for drawings, and stays black where there are none."""


def measurements_document(groups: Sequence[hd.sr.ContentItem], subject: Subject, identity: Identity) -> Dataset:
    """The report of the lesions' measurement groups; UNVERIFIED.

    Evidence: all analysed images, and the segmentation if there is one. Source: PS3.16 TID 1500, 1600; PS3.3 A.35.13.
    """
    sources = subject.sources
    assert sources is not None  # noqa: S101  (a subject with lesions has them)
    shown = dict.fromkeys(sources.index(lesion.detection.image) for lesion in subject.lesions)
    headers = [sources.headers[index] for index in shown]
    content = _content(MEASUREMENTS_TITLE, groups, headers, subject.context)
    return _document(content, sources.headers, subject.context, identity)


def statement_document(subject: Subject, identity: Identity) -> Dataset:
    """A report without lesions: an empty Imaging Measurements container for the viewer, and the statement as a
    qualitative evaluation.

    It draws nothing, so its images need no geometry.
    """
    context = subject.context
    images = references(context)
    evaluations: list[hd.sr.ContentItem] = [comment(subject.statement)]
    if subject.nothing_found:
        contains = hd.sr.RelationshipTypeValues.CONTAINS
        coded = hd.sr.CodeContentItem(name=concept(FINDING), value=concept(NO_FINDING), relationship_type=contains)
        evaluations.insert(0, coded)
    middle = images[len(images) // 2]
    content = _content(TEXT_TITLE, [], [middle], context)
    content.ContentSequence.append(_container(QUALITATIVE_EVALUATIONS, evaluations))
    return _document(content, images, context, identity)


def comment(text: str) -> hd.sr.TextContentItem:
    """What a viewer shows as the label of a group."""
    return hd.sr.TextContentItem(
        name=concept(COMMENT), value=text, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
    )


def _container(code: Code, content: Sequence[hd.sr.ContentItem]) -> hd.sr.ContainerContentItem:
    """An empty one has no Content Sequence: the attribute is of type 1C (PS3.3 C.17.3)."""
    container = hd.sr.ContainerContentItem(name=concept(code), relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)
    if content:
        container.ContentSequence = hd.sr.ContentSequence(content)
    return container


def _content(
    title: Code, groups: Sequence[hd.sr.ContentItem], shown: Sequence[Dataset], context: Context
) -> hd.sr.ContainerContentItem:
    """The root container of TID 1500, rows 1 to 6; the title is of CID 7021."""
    model = context.model
    root = hd.sr.ContainerContentItem(name=concept(title), template_id="1500")
    root.ContentSequence = hd.sr.ContentSequence()
    root.ContentSequence.extend(
        hd.sr.LanguageOfContentItemAndDescendants(concept(Code("en-US", "RFC5646", "English (United States)")))
    )
    root.ContentSequence.extend(
        hd.sr.ObserverContext(
            observer_type=concept(Code("121007", "DCM", "Device")),
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                uid=model.device_uid,
                name=model.name,
                manufacturer_name=model.manufacturer,
                model_name=f"{model.name} {model.model_id}",
            ),
        )
    )
    root.ContentSequence.append(
        hd.sr.CodeContentItem(
            name=concept(Code("121058", "DCM", "Procedure reported")),
            value=concept(CT_UNSPECIFIED),
            relationship_type=hd.sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
    )
    root.ContentSequence.append(image_library(shown))
    root.ContentSequence.append(_container(Code("126010", "DCM", "Imaging Measurements"), groups))
    return root


def _document(content: Dataset, images: Sequence[Dataset], context: Context, identity: Identity) -> Dataset:
    evidence = [*images]
    if identity.segmentation is not None:
        evidence.append(identity.segmentation.as_dataset())
    model = context.model
    result = hd.sr.Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_instance_uid=identity.series_instance_uid,
        series_number=identity.series_number,
        sop_instance_uid=identity.sop_instance_uid,
        instance_number=identity.instance_number,
        manufacturer=model.manufacturer,
        manufacturer_model_name=model.name,
        software_versions=model.software_version,
        device_serial_number=model.device_uid,
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=[document.as_dataset() for document in identity.predecessors] or None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=UTF_8,
    )
    return finish(result, context, "lesions, SR")
