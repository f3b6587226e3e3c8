"""Everything that the page of one study shows. Shell: reads only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from db import findings, studies
from db.errors import RequestError
from db.models import LesionRow
from db.outcomes import Analysis, DetectionRow
from dicom_node.study_place import study_place
from dicom_node.web import (
    comparison_queries,
    delivery_queries,
    finding_queries,
    outcome_queries,
    queries,
    study_queries,
)
from dicom_node.web.paging import PAGE_ROWS
from dicom_node.web.settings import WebSettings


def study_values(session: Session, settings: WebSettings, study_instance_uid: str) -> dict[str, Any]:
    """The values of study.html but its pictures. Raises RequestError if there is no such study."""
    line = study_queries.study(session, study_instance_uid)
    if line is None:
        raise RequestError("there is no such study")
    analysis = findings.standing(session, study_instance_uid)
    place = replace(
        study_place(session, study_instance_uid), series=(analysis.series_instance_uid or "") if analysis else ""
    )
    found = findings.of_analysis(session, analysis.analysis_id) if analysis else []
    unsure = outcome_queries.unsure(session, analysis.analysis_id) if analysis else []
    return {
        "study": line,
        "study_links": finding_queries.viewer_links(settings.destinations, place),
        "conflicts": studies.conflicts(session, study_instance_uid),
        "lesions": queries.lesions(session, 1, PAGE_ROWS, LesionRow.study_instance_uid == study_instance_uid),
        "analyses": outcome_queries.analyses(session, study_instance_uid),
        "findings": found,
        "unsure": unsure,
        "links": finding_queries.finding_links(settings.destinations, place, [*found, *unsure]),
        "receipts": delivery_queries.receipts(session, study_instance_uid),
        "deliveries": delivery_queries.deliveries(session, study_instance_uid=study_instance_uid),
        **_of_analysis(session, analysis, found),
    }


def _of_analysis(session: Session, analysis: Analysis | None, found: list[DetectionRow]) -> dict[str, Any]:
    """What a person can do about the findings, and what people said of them."""
    if analysis is None:
        return {"analysis": None, "held_for": [], "going_to": [], "comparison": None, "answers": {}, "added": 0}
    held = {destination for _, destination in findings.held(session, analysis.analysis_id)}
    going = _going(session, analysis, held)
    return {
        "analysis": analysis,
        "held_for": sorted(held - going),
        "going_to": sorted(going),
        "comparison": comparison_queries.comparison_of(session, analysis),
        "answers": findings.answers(session, [row.detection_id for row in found]),
        "added": outcome_queries.added(session, analysis.analysis_id),
    }


def _going(session: Session, analysis: Analysis, held: set[str]) -> set[str]:
    """Where what is held now goes by itself as soon as it is made anew."""
    if analysis.issued_edition >= analysis.edition:
        return set()
    return {destination for destination in held if findings.released(session, analysis.analysis_id, destination)}
