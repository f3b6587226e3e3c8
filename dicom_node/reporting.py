"""An analysis → result objects in the file store, the ledger and the outbox, in one transaction. Shell.

UIDs and times come from the analysis, so that the step may run twice and makes the same objects.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from sqlalchemy.orm import Session

from db import analyses, deliveries, lost, results, studies
from db.detection import Detection
from db.engine import reading
from db.errors import ContentError
from db.files import name_part
from db.outcomes import Analysis, Result
from db.uids import uid_from
from dicom_node.config import Peer
from dicom_node.node import Node
from dicom_node.report.context import Context, InstanceReference, ModelDescription
from dicom_node.report.header import header_sha256
from dicom_node.report.profiles import PROFILES, Profile
from dicom_node.report.sr import failure_report
from mining.volume import read_headers, sort_slices

log = logging.getLogger(__name__)

SERIES_NUMBERS = {"SR": 9901, "SEG": 9902}
"""High, so that ours come last in a study's list; the same for every analysis of a study."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new object of a profile goes: into the series of the earlier ones of its study, after the last."""

    series_instance_uid: str
    instance_number: int
    before: Result | None
    """What it replaces, and a new SR names as its predecessor."""


def report(node: Node, study_instance_uid: str, revision: int) -> str:
    """Build what the destinations want to know of one analysed revision, enter and queue it; one line on it.

    Raises LostFile if a result would have to speak of an image that is not there any more.
    """
    with reading(node.sessions) as session:
        analysis = analyses.newest(session, study_instance_uid, revision)
        if analysis is None:
            return "no analysis of this revision"
        found = analyses.detections_of(session, analysis.analysis_id, node.files)
        stored = studies.current_instances(session, study_instance_uid)
        series = analysis.series_instance_uid or _largest_ct(stored)
        images = [each for each in stored if each.series_instance_uid == series]
        missing = lost.gone(node.files, images)
        earlier = results.current_results(session, study_instance_uid)
        places = {name: _place(session, analysis, name) for name in PROFILES}
        told = deliveries.delivered_to(session, study_instance_uid)
    hearers = [peer for peer in node.config.peers if _concerns(peer, analysis, told)]
    wanted, because = _wanted(hearers), ""
    if wanted and missing and analysis.state != "failed":
        raise lost.lost_file(missing)
    paths = [node.files.path(each.file_name) for each in images if each not in missing]
    try:
        built = _build(node, analysis, found, paths, wanted, places) if wanted and paths else []
    except ContentError as error:  # the same images would refuse again
        built, because = [], f"no result can be written: {error}"
        log.warning("study=%s %s", study_instance_uid, because)
    made = [result for result, _ in built]
    with node.sessions.begin() as session:
        if studies.lock(session, study_instance_uid).analysed_revision >= revision:
            return "reported already"
        if because:
            analyses.add_reason(session, analysis.analysis_id, because)
        for result, dataset in built:
            _enter(session, result, header_sha256(dataset), earlier)
        _retire(session, earlier, made)
        _put(session, hearers, made)
        _mark_what_stays(session, analysis, earlier, hearers, made)
        studies.mark_analysed(session, study_instance_uid, revision)
    log.info("reported study=%s state=%s objects=%d", study_instance_uid, analysis.state, len(built))
    return f"{analysis.state}, {len(built)} objects" + (f"; {because}" if because else "")


def _largest_ct(stored: Sequence[studies.StoredInstance]) -> str:
    """The series that the report of a failure speaks of; empty if the study has no CT."""
    sizes = Counter(each.series_instance_uid for each in stored if each.modality == "CT")
    return max(sizes, key=lambda uid: (sizes[uid], uid), default="")


def _place(session: Session, analysis: Analysis, profile: str) -> Place:
    before = results.predecessor(session, analysis.study_instance_uid, profile)
    if before is None:
        series = uid_from("series", analysis.study_instance_uid, profile, analysis.model_id)
    else:
        series = before.series_instance_uid
    return Place(series, results.next_instance_number(session, series), before)


def _concerns(peer: Peer, analysis: Analysis, told: Collection[str]) -> bool:
    """Whether a destination hears of an analysis: of lesions always; of none where it asked to, or to correct what
    was delivered there before.
    """
    if analysis.state == "found":
        return True
    return analysis.state in ("none found", "failed") and (peer.report_empty or peer.name in told)


def _wanted(hearers: Iterable[Peer]) -> list[Profile]:
    names = {name for peer in hearers for name in peer.deliver}
    return sorted((PROFILES[name] for name in names), key=lambda profile: profile.build_order)


def _build(
    node: Node,
    analysis: Analysis,
    found: Sequence[Detection],
    paths: Sequence[Path],
    wanted: Sequence[Profile],
    places: Mapping[str, Place],
) -> list[tuple[Result, Dataset]]:
    """The objects, each written to the file store already; the order of `wanted`, so that an SR can name its SEG."""
    images = headers_of(paths)
    built: list[tuple[Result, Dataset]] = []
    segmentation: InstanceReference | None = None
    for profile in wanted:
        place = places[profile.name]
        before = place.before if profile.kind == "SR" else None
        context = Context(
            images=images,
            model=model_description(node, analysis.model_id or "none"),
            series_instance_uid=place.series_instance_uid,
            sop_instance_uid=uid_from("result", analysis.analysis_id, profile.name),
            created_at=analysis.finished_at,
            series_number=SERIES_NUMBERS[profile.kind],
            instance_number=place.instance_number,
            predecessors=() if before is None else (_reference(before, analysis),),
            segmentation=segmentation,
        )
        failed = analysis.state == "failed" and profile.kind == "SR"
        dataset = failure_report(analysis.reason, context) if failed else profile.build(found, context)
        if dataset is None:
            continue
        if profile.kind == "SEG":
            segmentation = InstanceReference.of(dataset)
        built.append((_keep(node, analysis, profile, dataset), images[0]))
    return built


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
        sop_class_uid=str(dataset.SOPClassUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        instance_number=int(dataset.InstanceNumber),
        file_name=name,
        created_at=analysis.finished_at,
    )


def _enter(session: Session, result: Result, header: str, earlier: Sequence[Result]) -> None:
    """Into the ledger before it is sent; what it replaces is marked."""
    results.record(
        session,
        result_sop_instance_uid=result.result_sop_instance_uid,
        analysis_id=result.analysis_id,
        kind=result.kind,
        profile=result.profile,
        sop_class_uid=result.sop_class_uid,
        series_instance_uid=result.series_instance_uid,
        instance_number=result.instance_number,
        file_name=result.file_name,
        header_sha256=header,
        now=result.created_at,
    )
    for old in earlier:
        if old.profile == result.profile and old.result_sop_instance_uid != result.result_sop_instance_uid:
            _supersede(session, old, result)


def _supersede(session: Session, old: Result, new: Result) -> None:
    results.supersede(session, old.result_sop_instance_uid, new.result_sop_instance_uid)
    deliveries.withdraw(session, old.result_sop_instance_uid)


def _retire(session: Session, earlier: Sequence[Result], built: Sequence[Result]) -> None:
    """Nothing found leaves no SEG to replace the earlier one: then the new SR does, which says so."""
    if built:
        for old in earlier:
            if old.profile not in {result.profile for result in built}:
                _supersede(session, old, built[-1])


def _put(session: Session, hearers: Iterable[Peer], made: Sequence[Result]) -> None:
    """Into the outbox, what each destination takes."""
    for peer in hearers:
        for result in made:
            if result.profile in peer.deliver:
                deliveries.put(session, result.result_sop_instance_uid, peer.name, peer.mode, result.created_at)


def _mark_what_stays(
    session: Session, analysis: Analysis, earlier: Sequence[Result], hearers: Iterable[Peer], made: Sequence[Result]
) -> None:
    """Where nothing that we send replaces an earlier object, its delivery says that it no longer holds.

    A destination that takes only SEG keeps the old one when a later analysis finds nothing: there is no empty SEG.
    """
    if analysis.state == "not analysed":  # that says nothing of what was found before
        return
    because = f"a later analysis: {analysis.state}"
    for old in earlier:
        replaced = {
            peer.name
            for peer in hearers
            if any(new.profile in peer.deliver and (new.profile == old.profile or new.kind == "SR") for new in made)
        }
        for destination in deliveries.outdate(session, old.result_sop_instance_uid, replaced, because):
            log.warning(
                "sop_instance=%s stays at destination=%s and no longer holds; %s",
                old.result_sop_instance_uid, destination, because,
            )  # fmt: skip
