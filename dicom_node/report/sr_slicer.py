"""A lesion → the measurement group that 3D Slicer loads as a box: QuantitativeReporting, DICOMTID1500Plugin. Pure.

What the plug-in asks for beyond PS3.16 TID 1410, by its source:
- "Geometric purpose of region" is "Bounded by", or the box becomes a line;
- a Finding and a Finding Site in every group, for it reads the first of each unasked;
- every group of planar regions is a box, so the axes are numbers without a drawing;
- the images come first in the evidence: there it looks for the series to load.
"""

from __future__ import annotations

import highdicom as hd

from db.codes import Code
from dicom_node.report.concepts import concept
from dicom_node.report.context import Context
from dicom_node.report.groups import (
    LONG_AXIS,
    MM,
    SHORT_AXIS,
    algorithm,
    certainty,
    labelled,
    number,
    outline,
    site,
    tracking,
)
from dicom_node.report.subject import Lesion

BOUNDED_BY = Code("75958009", "SCT", "Bounded by")
SOMEWHERE = Code("38266002", "SCT", "Entire body")
"""The site of a lesion whose category tells none (PS3.16 CID 4031)."""


def groups_of(lesion: Lesion, context: Context) -> list[hd.sr.ContentItem]:
    detection = lesion.detection
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(detection.tracking_uid, lesion.identifier),
        referenced_region=outline(lesion),
        finding_type=concept(lesion.codes.finding),
        finding_sites=[site(lesion.codes.site or SOMEWHERE)],
        algorithm_id=algorithm(context),
        geometric_purpose=concept(BOUNDED_BY),
        measurements=[
            number(LONG_AXIS, detection.long_axis_mm, MM),
            number(SHORT_AXIS, detection.short_axis_mm, MM),
            certainty(lesion),
        ],
    )
    return [labelled(group, lesion)]
