"""An analysis → result objects in the ledger and the outbox, in one transaction. Shell."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence

from pydicom import Dataset
from sqlalchemy.orm import Session

from db import analyses, deliveries, findings, lost, results, studies
from db.engine import reading
from db.errors import ContentError
from db.models import Study
from db.outcomes import Analysis, Result
from dicom_node.building import Material, build, material_of, result_uid
from dicom_node.config import Peer
from dicom_node.node import Node
from dicom_node.report.header import header_sha256
from dicom_node.report.profiles import IN_WORDS, stand_ins

log = logging.getLogger(__name__)


def report(node: Node, study_instance_uid: str, revision: int) -> str:
    """Build what the destinations want to know of one analysed revision, enter and queue it; one line on it.

    Raises LostFile if a result would have to speak of an image that is not there any more.
    """
    with reading(node.sessions) as session:
        analysis = analyses.newest(session, study_instance_uid, revision)
        if analysis is None:
            return "no analysis of this revision"
        if is_issued(session.get_one(Study, study_instance_uid), analysis):  # its files are those that were sent
            return "reported already"
        material = material_of(session, node, analysis)
        missing = lost.gone(node.files, material.images)
        earlier = results.current_results(session, study_instance_uid)
        told = deliveries.delivered_to(session, study_instance_uid)
    hearers = [peer for peer in node.config.peers if _concerns(peer, material, told)]
    wanted, because = {name for peer in hearers for name in peer.deliver}, ""
    if wanted and missing and analysis.state != analyses.FAILED:
        raise lost.lost_file(missing)
    built: list[tuple[Result, Dataset]] = []
    try:
        built = build(node, material, wanted, missing)
    except ContentError as error:  # the same images would refuse again
        because = f"no result can be written: {error}"
        log.warning("study=%s %s", study_instance_uid, because)
    made = [result for result, _ in built]
    with node.sessions.begin() as session:
        if is_issued(studies.lock(session, study_instance_uid), session.get_one(Analysis, analysis.analysis_id)):
            return "reported already"
        if because:
            analyses.add_reason(session, analysis.analysis_id, because)
        for result, dataset in built:
            _enter(session, result, header_sha256(dataset), earlier)
        _retire(session, earlier, made)
        _put(session, hearers, made)
        _mark_what_stays(session, material, earlier, hearers, made)
        studies.mark_analysed(session, study_instance_uid, revision)
        analyses.mark_issued(session, analysis.analysis_id, analysis.edition)
    log.info("reported study=%s state=%s objects=%d", study_instance_uid, analysis.state, len(built))
    return f"{analysis.state}, {len(built)} objects" + (f"; {because}" if because else "")


def is_issued(study: Study, analysis: Analysis) -> bool:
    """Whether the results of an analysis, in its present edition, are in the ledger and the outbox.

    Built again they would have another header, or themselves as predecessors, under the UIDs that were sent.
    """
    return study.analysed_revision >= analysis.study_revision and analysis.issued_edition >= analysis.edition


def _concerns(peer: Peer, material: Material, told: Collection[str]) -> bool:
    """Whether a destination hears of an analysis: of lesions always; of none where it asked to, or to correct what
    was delivered there before.
    """
    if material.found:
        return True
    return material.analysis.state != analyses.NOT_ANALYSED and (peer.report_empty or peer.name in told)


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
        edition=result.edition,
        now=result.created_at,
    )
    for old in earlier:
        if old.profile == result.profile and old.result_sop_instance_uid != result.result_sop_instance_uid:
            _supersede(session, old, result)


def _supersede(session: Session, old: Result, new: Result) -> None:
    results.supersede(session, old.result_sop_instance_uid, new.result_sop_instance_uid)
    deliveries.withdraw(session, old.result_sop_instance_uid)


def _retire(session: Session, earlier: Sequence[Result], built: Sequence[Result]) -> None:
    """Nothing found leaves no drawing to replace the earlier one: then the new SR does, or the page, which says so."""
    if built:
        standing = next((result for result in built if result.kind == "SR"), built[-1])
        for old in earlier:
            if old.profile not in {result.profile for result in built}:
                _supersede(session, old, standing)


def _put(session: Session, hearers: Iterable[Peer], made: Sequence[Result]) -> None:
    """Into the outbox, what each destination takes."""
    for peer in hearers:
        for result in made:
            if result.profile in peer.deliver:
                mode = "send" if peer.mode == "hold" and _let_go(session, result, peer) else peer.mode
                deliveries.put(session, result.result_sop_instance_uid, peer.name, mode, result.created_at)


def _let_go(session: Session, result: Result, peer: Peer) -> bool:
    """Whether a person released this analysis for a destination that holds, and what they change in it goes, too."""
    return findings.released(session, result.analysis_id, peer.name)


def _mark_what_stays(
    session: Session, material: Material, earlier: Sequence[Result], hearers: Iterable[Peer], made: Sequence[Result]
) -> None:
    """Where nothing that we send replaces an earlier object, its delivery says that it no longer holds.

    A destination that takes only drawings (SEG, GSPS, KO, RTSTRUCT) keeps the old ones when a later analysis finds
    nothing: there is no empty one.
    """
    state = material.analysis.state
    if state == analyses.NOT_ANALYSED:  # that says nothing of what was found before
        return
    taken_out = state == analyses.FOUND and not material.found
    because = "a person took all findings out" if taken_out else f"a later analysis: {state}"
    for old in earlier:
        replaced = {
            peer.name for peer in hearers if any(new.profile in peer.deliver and _replaces(new, old) for new in made)
        }
        for destination in deliveries.outdate(session, old.result_sop_instance_uid, replaced, because):
            log.warning(
                "sop_instance=%s stays at destination=%s and no longer holds; %s",
                old.result_sop_instance_uid, destination, because,
            )  # fmt: skip


def _replaces(new: Result, old: Result) -> bool:
    """Whether a destination that gets the new result has no more use for the old one: it is the same encoding, or what
    stood in for it where its class was refused, or the new one says in words what came of the analysis.
    """
    return old.profile in stand_ins(new.profile) or new.kind in IN_WORDS


def build_more(node: Node, analysis_id: str, profiles: Collection[str]) -> list[Result]:
    """Other encodings of a reported analysis, entered into the ledger; what stands there already is given as it is.

    Nothing while a person's change waits to be reported: what is made then would come before what it stands in for.
    Raises LostFile, and ContentError, as `report` meets them.
    """
    with reading(node.sessions) as session:
        analysis = session.get_one(Analysis, analysis_id)
        if analysis.issued_edition < analysis.edition:
            return []
        material = material_of(session, node, analysis)
        uids = {name: result_uid(analysis, name) for name in profiles}
        standing = {name for name, uid in uids.items() if session.get(Result, uid) is not None}
        missing = lost.gone(node.files, material.images)
    if missing and analysis.state != analyses.FAILED:
        raise lost.lost_file(missing)
    built = build(node, material, set(profiles) - standing, missing)
    with node.sessions.begin() as session:
        earlier = results.current_results(session, analysis.study_instance_uid)
        for result, dataset in built:
            _enter(session, result, header_sha256(dataset), earlier)
    with reading(node.sessions) as session:
        found = [session.get(Result, uid) for uid in uids.values()]
    return [result for result in found if result is not None]
