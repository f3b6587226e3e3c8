"""The document around the measurement groups: by TID 1500, its root, its evidence and its header. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import highdicom as hd
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from db.codes import Code
from dicom_node.report.concepts import concept
from dicom_node.report.context import Context, Identity, InstanceReference
from dicom_node.report.groups import algorithm, comment
from dicom_node.report.header import finish
from dicom_node.report.instance import hierarchy, new_instance
from dicom_node.report.library import image_library
from dicom_node.report.source import references
from dicom_node.report.subject import Lesion, Subject

GroupsOf = Callable[[Lesion, Context], Sequence[hd.sr.ContentItem]]
"""How a kind of report writes one lesion: as these measurement groups."""

FINDING = Code("121071", "DCM", "Finding")
NO_FINDING = Code("373572006", "SCT", "Clinical finding absent")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
CT_UNSPECIFIED = Code("25045-6", "LN", "CT unspecified body region")

MEASUREMENTS_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
TEXT_TITLE = Code("126001", "DCM", "Oncology Measurement Report")
"""OHIF shows this one as text; under the other title it looks for drawings, and stays black where there are none."""


def report(
    subject: Subject,
    identity: Identity,
    *,
    groups_of: GroupsOf,
    what: str,
    sop_class_uid: str = Comprehensive3DSRStorage,
) -> Dataset:
    """The report of the lesions, or of the statement if there is none; UNVERIFIED.

    what: the kind of report, for the series description. Evidence: all analysed images, first, and the segmentation if
    there is one. Source: PS3.16 TID 1500, 1600; PS3.3 A.35.3, A.35.13, which differ in what coordinates they take.
    """
    context = subject.context
    content = _measurements(subject, groups_of) if subject.lesions else _statement(subject)
    ds = new_instance(sop_class_uid, "SR", context, identity)
    ds.update(content)
    ds.CompletionFlag, ds.VerificationFlag, ds.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    evidence = [InstanceReference.of(image) for image in context.images]
    ds.CurrentRequestedProcedureEvidenceSequence = hierarchy([*evidence, *filter(None, [identity.segmentation])])
    if identity.predecessors:
        ds.PredecessorDocumentsSequence = hierarchy(identity.predecessors)
    return finish(ds, context, what)


def _measurements(subject: Subject, groups_of: GroupsOf) -> Dataset:
    groups = [group for lesion in subject.lesions for group in groups_of(lesion, subject.context)]
    shown = {lesion.detection.image: (lesion.header, lesion.frame_number) for lesion in subject.lesions}
    content = _content(MEASUREMENTS_TITLE, groups, list(shown.values()), subject.context)
    links = [comment(f"Lesion {lesion.number}: {lesion.link}") for lesion in subject.lesions if lesion.link]
    if links:  # not in the groups: OHIF writes a group's comments on the image
        content.ContentSequence.append(_container(QUALITATIVE_EVALUATIONS, links))
    return content


def _statement(subject: Subject) -> Dataset:
    """A report without lesions: Imaging Measurements without a group, but with the algorithm that made none, and the
    statement as a qualitative evaluation.

    It draws nothing, so its images need no geometry.
    """
    images = references(subject.context)
    evaluations: list[hd.sr.ContentItem] = [comment(subject.statement)]
    if subject.nothing_found:
        contains = hd.sr.RelationshipTypeValues.CONTAINS
        coded = hd.sr.CodeContentItem(name=concept(FINDING), value=concept(NO_FINDING), relationship_type=contains)
        evaluations.insert(0, coded)
    content = _content(TEXT_TITLE, [*algorithm(subject.context)], [(images[len(images) // 2], None)], subject.context)
    content.ContentSequence.append(_container(QUALITATIVE_EVALUATIONS, evaluations))
    return content


def _container(code: Code, content: Sequence[hd.sr.ContentItem]) -> hd.sr.ContainerContentItem:
    container = hd.sr.ContainerContentItem(name=concept(code), relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)
    container.ContentSequence = hd.sr.ContentSequence(content)
    return container


def _content(
    title: Code, measured: Sequence[hd.sr.ContentItem], shown: Sequence[tuple[Dataset, int | None]], context: Context
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
    root.ContentSequence.append(_container(Code("126010", "DCM", "Imaging Measurements"), measured))
    return root
