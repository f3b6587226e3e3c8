"""A lesion → the two measurement groups that OHIF shows and hydrates: the box, then the two axes. Pure.

What the viewer asks for beyond PS3.16 TID 1501, each point measured with OHIF 3.13:
- Tracking Identifier and a Tracking Unique Identifier of its own in every group;
- every group has a 2-D SCOORD, the first NUM of a group carries one, numbers without come after it;
- a NUM has no child but its SCOORD, so algorithm and site stand at the group;
- the meanings "Long Axis" and "Short Axis", to the letter;
- one Comment in a group: each of them is written on the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd

from db.detection import axes_tracking_uid
from dicom_node.report.concepts import concept
from dicom_node.report.context import Context
from dicom_node.report.groups import (
    AREA,
    MM2,
    algorithm,
    certainty,
    drawn_axes,
    drawn_number,
    key_slice,
    labelled,
    sites,
    tracking,
)
from dicom_node.report.subject import Lesion

RECTANGLE = "Cornerstone3DTools@^0.1.0:RectangleROI"
BIDIRECTIONAL = "Cornerstone3DTools@^0.1.0:Bidirectional"


def groups_of(lesion: Lesion, context: Context) -> list[hd.sr.ContentItem]:
    box = [drawn_number(AREA, lesion.area_mm2, MM2, lesion.ring, key_slice(lesion)), certainty(lesion)]
    uid = lesion.detection.tracking_uid
    return [
        _group(lesion, context, RECTANGLE, uid, box),
        _group(lesion, context, BIDIRECTIONAL, axes_tracking_uid(uid), drawn_axes(lesion)),
    ]


def _group(
    lesion: Lesion, context: Context, tool: str, tracking_uid: str, numbers: Sequence[hd.sr.Measurement]
) -> hd.sr.ContentItem:
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(tracking_uid, f"{tool}:{lesion.identifier}"),
        finding_type=concept(lesion.codes.finding),
        finding_sites=sites(lesion),
        algorithm_id=algorithm(context),
        measurements=numbers,
    )
    return labelled(group, lesion)
