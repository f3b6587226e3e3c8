"""A lesion → the measurement group that IHE AI Results (AIR) describes, without a viewer's own rules. Pure.

One group by PS3.16 TID 1410: the region, the two axes as they lie on the image, and what is said of it. Coordinates are
those of the image (SCOORD), which the template allows beside SCOORD3D, and which more displays draw.

The axes may have no group of their own: PixelMed's validator, by which IHE judges, holds every group of a report with
one region against TID 1410.
"""

from __future__ import annotations

import highdicom as hd

from dicom_node.report.concepts import MORPHOLOGICALLY_ABNORMAL, concept
from dicom_node.report.context import Context
from dicom_node.report.groups import algorithm, certainty, drawn_axes, labelled, outline, sites, tracking
from dicom_node.report.sr_slicer import BOUNDED_BY
from dicom_node.report.subject import Lesion


def groups_of(lesion: Lesion, context: Context) -> list[hd.sr.ContentItem]:
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
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
    for axis in drawn_axes(lesion):  # the template is extensible, but highdicom takes no drawn number in it
        group[0].ContentSequence.extend(axis)
    return [labelled(group, lesion)]


def _time_point(context: Context) -> hd.sr.TimePointContext | None:
    """The study's date, by which time points of one tracking UID are put in order (TID 1502)."""
    date = str(context.images[0].get("StudyDate") or "")
    return hd.sr.TimePointContext(time_point=date) if date else None
