"""A lesion → the measurement groups that IHE AI Results (AIR) describes, without a viewer's own rules. Pure.

Two groups under ONE tracking UID, as the templates mean it: the region with what is said of it (PS3.16 TID 1410), and
the two axes as they lie on the image (TID 1501), which TID 1410 has no place for. Coordinates are those of the image
(SCOORD), which the templates allow beside SCOORD3D, and which more displays draw.
"""

from __future__ import annotations

import highdicom as hd

from dicom_node.report.concepts import MORPHOLOGICALLY_ABNORMAL, concept
from dicom_node.report.context import Context
from dicom_node.report.groups import algorithm, certainty, drawn_axes, labelled, outline, sites, tracking
from dicom_node.report.sr_slicer import BOUNDED_BY
from dicom_node.report.subject import Lesion


def groups_of(lesion: Lesion, context: Context) -> list[hd.sr.ContentItem]:
    region = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(lesion.detection.tracking_uid, lesion.identifier),
        referenced_region=outline(lesion),
        geometric_purpose=concept(BOUNDED_BY),
        time_point_context=_time_point(context),
        finding_category=concept(MORPHOLOGICALLY_ABNORMAL),
        finding_type=concept(lesion.codes.finding),
        finding_sites=sites(lesion),
        algorithm_id=algorithm(context),
        measurements=[certainty(lesion)],
    )
    axes = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(lesion.detection.tracking_uid, lesion.identifier),
        time_point_context=_time_point(context),
        finding_category=concept(MORPHOLOGICALLY_ABNORMAL),
        finding_type=concept(lesion.codes.finding),
        finding_sites=sites(lesion),
        algorithm_id=algorithm(context),
        measurements=drawn_axes(lesion),
    )
    return [labelled(region, lesion), labelled(axes, lesion)]


def _time_point(context: Context) -> hd.sr.TimePointContext | None:
    """The study's date, by which time points of one tracking UID are put in order (TID 1502)."""
    date = str(context.images[0].get("StudyDate") or "")
    return hd.sr.TimePointContext(time_point=date) if date else None
