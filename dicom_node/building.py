"""An analysis → its encodings as files, and the rows that tell of them. Shell.

UIDs and times come from the analysis and its edition, so that the step may run twice and makes the same objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from sqlalchemy.orm import Session

from db import analyses, findings, results, studies
from db.detection import Detection
from db.errors import ContentError
from db.files import name_part
from db.outcomes import Analysis, Result
from db.uids import uid_from
from dicom_node.config import Peer
from dicom_node.key_pixels import pixels_of
from dicom_node.node import Node
from dicom_node.report.concepts import BUILT_IN, CodeTable
from dicom_node.report.context import Context, Identity, InstanceReference, ModelDescription
from dicom_node.report.encode import encode
from dicom_node.report.profiles import PROFILES, Profile
from dicom_node.report.subject import Subject, describe, describe_failure, describe_taken_out
from dicom_node.viewer_link import Place as ViewerPlace
from dicom_node.viewer_link import viewer_link
from mining.volume import read_headers, sort_slices


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new object of a profile goes: into the series of the earlier ones of its study, after the last."""

    series_instance_uid: str
    instance_number: int
    before: Result | None
    """What it replaces, and a new SR names as its predecessor."""


def place_of(session: Session, analysis: Analysis, profile: str) -> Place:
    before = results.predecessor(session, analysis.study_instance_uid, profile)
    if before is None:
        series = uid_from("series", analysis.study_instance_uid, profile, analysis.model_id)
    else:
        series = before.series_instance_uid
    return Place(series, results.next_instance_number(session, series), before)


@dataclass(frozen=True, slots=True)
class Material:
    """What the results of an analysis are made of, as it stood in one moment.

    images: of the analysed series. numbers: as the page counts the findings, those too that a person took out: what a
    reader saw as the second stays the second when the first is gone.
    """

    analysis: Analysis
    found: tuple[Detection, ...]
    images: tuple[studies.StoredInstance, ...]
    places: Mapping[str, Place]
    numbers: Mapping[str, int] = field(default_factory=dict)


def material_of(session: Session, node: Node, analysis: Analysis) -> Material:
    stored = studies.current_instances(session, analysis.study_instance_uid)
    series = analysis.series_instance_uid or _largest_ct(stored)
    return Material(
        analysis,
        tuple(analyses.detections_of(session, analysis.analysis_id, node.files)),
        tuple(each for each in stored if each.series_instance_uid == series),
        {name: place_of(session, analysis, name) for name in PROFILES},
        {row.detection_id: n for n, row in enumerate(findings.of_analysis(session, analysis.analysis_id), start=1)},
    )


def _largest_ct(stored: Sequence[studies.StoredInstance]) -> str:
    """The series that the report of a failure speaks of; empty if the study has no CT."""
    sizes = Counter(each.series_instance_uid for each in stored if each.modality == "CT")
    return max(sizes, key=lambda uid: (sizes[uid], uid), default="")


def build(
    node: Node, material: Material, profiles: Collection[str], missing: Collection[studies.StoredInstance] = ()
) -> list[tuple[Result, Dataset]]:
    """The objects of `encodings`, each written to the file store already, with the header of an image that they are
    about.
    """
    made = encodings(node, material, profiles, missing)
    return [(_keep(node, material.analysis, profile, dataset), header) for profile, dataset, header in made]


def encodings(
    node: Node, material: Material, profiles: Collection[str], missing: Collection[studies.StoredInstance] = ()
) -> list[tuple[Profile, Dataset, Dataset]]:
    """The objects of an analysis in memory, and of each the header of an image that it is about; nothing is kept.

    missing: images without a file. None of the objects is made where all are. Raises ContentError where the images
    refuse a result.
    """
    paths = [node.files.path(each.file_name) for each in material.images if each not in missing]
    if not profiles or not paths:
        return []
    subject = subject_of(node, material, headers_of(paths))
    made = encode(subject, profiles, lambda profile: _identity(material, profile))
    return [(profile, dataset, subject.context.images[0]) for profile, dataset in made]


def subject_of(node: Node, material: Material, images: tuple[Dataset, ...]) -> Subject:
    """What all encodings of the analysis say."""
    analysis = material.analysis
    context = Context(
        images,
        model_description(node, analysis.model_id or "none"),
        analysis.finished_at,
        pixels=pixels_of(node.files, material.images),
        codes=code_table(node),
        links=_links(node.config.peers, material.found, images[0]),
        numbers=material.numbers,
    )
    if analysis.state == analyses.FAILED:
        return describe_failure(analysis.reason, context)
    if analysis.state == analyses.FOUND and not material.found:
        return describe_taken_out(context)
    return describe(material.found, context)


def code_table(node: Node) -> CodeTable:
    """What the words of a category's name mean at this site."""
    report = node.config.report
    return BUILT_IN.extended(report.findings, report.sites)


def _links(peers: Sequence[Peer], found: Sequence[Detection], header: Dataset) -> dict[str, str]:
    """Where each finding opens. The objects are the same for all destinations: they name a viewer only if it is one."""
    viewers = {peer.viewer_url for peer in peers if peer.deliver and peer.viewer_url}
    if len(viewers) != 1:
        return {}
    (template,) = viewers
    place = ViewerPlace(
        study=str(header.StudyInstanceUID),
        series=str(header.SeriesInstanceUID),
        patient=str(header.get("PatientID") or ""),
        accession=str(header.get("AccessionNumber") or ""),
    )
    return {
        each.detection_id: viewer_link(template, replace(place, instance=each.image.sop_instance_uid)) for each in found
    }


def _identity(material: Material, profile: Profile) -> Identity:
    place = material.places[profile.name]
    before = place.before if profile.kind == "SR" else None
    return Identity(
        series_instance_uid=place.series_instance_uid,
        sop_instance_uid=result_uid(material.analysis, profile.name),
        series_number=profile.series_number,
        instance_number=place.instance_number,
        predecessors=() if before is None else (_reference(before, material.analysis),),
    )


def result_uid(analysis: Analysis, profile: str) -> str:
    """The SOP Instance UID of an encoding of an analysis in its present edition."""
    edition = (analysis.edition,) if analysis.edition else ()
    return uid_from("result", analysis.analysis_id, profile, *edition)


def headers_of(paths: Sequence[Path]) -> tuple[Dataset, ...]:
    """The images' headers in the order in which detections count slices.

    A series whose slices cannot be sorted has no detections, so the report of that failure may take any order.
    """
    try:
        slices = sort_slices(read_headers(paths))
    except ContentError:
        return tuple(dcmread(path, stop_before_pixels=True) for path in paths)
    headers = {path: dcmread(path, stop_before_pixels=True) for path in paths}
    return tuple(headers[path] for path in dict.fromkeys(header.path for header in slices))


def model_description(node: Node, model_id: str) -> ModelDescription:
    return ModelDescription(
        name="Lesion node detector",
        model_id=model_id,
        manufacturer="Lesion node (open source)",
        software_version=version("lesion-node"),
        device_uid=node.device_uid,
    )


def _reference(result: Result, analysis: Analysis) -> InstanceReference:
    return InstanceReference(
        analysis.study_instance_uid, result.series_instance_uid, result.sop_class_uid, result.result_sop_instance_uid
    )


def _keep(node: Node, analysis: Analysis, profile: Profile, dataset: Dataset) -> Result:
    uid = str(dataset.SOPInstanceUID)
    name = f"results/{name_part(analysis.study_instance_uid)}/{uid}.dcm"
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    node.files.write(name, content.getvalue())
    return Result(
        result_sop_instance_uid=uid,
        analysis_id=analysis.analysis_id,
        kind=profile.kind,
        profile=profile.name,
        edition=analysis.edition,
        sop_class_uid=str(dataset.SOPClassUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        instance_number=int(dataset.InstanceNumber),
        file_name=name,
        created_at=analysis.finished_at,
    )
