"""A reader's session as a Grayscale Softcopy Presentation State: two lines and a text a lesion. Pure."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset

from dicom_node.phantom.readings import Reading, Session
from dicom_node.phantom.series import MANUFACTURER
from dicom_node.phantom.sr_reports import dated


def gsps_report(session: Session) -> Dataset:
    """All annotations in PIXEL units on one layer; numbers stand in the text alone, as PACS write them."""
    visit = session.visit
    layer = hd.pr.GraphicLayer("MEASUREMENTS", order=1, description="Measurements of the reader")
    ds = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=session.images,
        series_instance_uid=visit.uid("series", "gsps"),
        series_number=200,
        sop_instance_uid=visit.uid("gsps"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="Reading Room 1",
        software_versions="1.0",
        device_serial_number=f"PW-{visit.seed}",
        content_label="MEASUREMENTS",
        content_description="Measurements of a synthetic phantom",
        graphic_layers=[layer],
        graphic_annotations=[_annotation(reading, session, layer) for reading in session.readings],
        content_creator_name=session.reader.name,
        institution_name="Synthetic Hospital",
    )
    ds.SeriesDescription = "Measurements (synthetic phantom)"
    ds.BodyPartExamined = session.images[0].BodyPartExamined  # not a paired one, so without Laterality
    ds.PresentationCreationDate = session.read_at.strftime("%Y%m%d")
    ds.PresentationCreationTime = session.read_at.strftime("%H%M%S")
    return dated(ds, session)


def value_text(reading: Reading, decimal_sign: str) -> str:
    """What stands beside the lines: `23.1 x 14.0 mm`."""
    return f"{reading.long_axis_mm:.1f} x {reading.short_axis_mm:.1f} mm".replace(".", decimal_sign)


def _annotation(reading: Reading, session: Session, layer: hd.pr.GraphicLayer) -> hd.pr.GraphicAnnotation:
    lines = [
        hd.pr.GraphicObject(
            graphic_type=hd.pr.GraphicTypeValues.POLYLINE,
            graphic_data=np.array([point.to_scoord() for point in axis.points]),
            units=hd.pr.AnnotationUnitsValues.PIXEL,
        )
        for axis in (reading.long_axis, reading.short_axis)
    ]
    anchor = max((*reading.long_axis.points, *reading.short_axis.points), key=lambda point: point.col)
    text = hd.pr.TextObject(
        text_value=value_text(reading, session.reader.decimal_sign),
        units=hd.pr.AnnotationUnitsValues.PIXEL,
        anchor_point=anchor.to_scoord(),
        anchor_point_visible=False,
    )
    return hd.pr.GraphicAnnotation(
        referenced_images=[reading.image], graphic_layer=layer, graphic_objects=lines, text_objects=[text]
    )
