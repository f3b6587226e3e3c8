"""A reader's session as a TID 1500 Measurement Report, in three dialects. Pure.

OHIF: as that viewer saves a Bidirectional tool. AXES and REGION: as highdicom's users write them.
"""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from db.geometry import Axis, PointPx
from dicom_node.phantom.readings import Dialect, Reading, Session
from dicom_node.phantom.series import MANUFACTURER, file_meta_of

_Group = hd.sr.MeasurementsAndQualitativeEvaluations | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations

BIDIRECTIONAL = "Cornerstone3DTools@^0.1.0:Bidirectional"
_SERIES = {
    Dialect.OHIF: "Measurements",
    Dialect.AXES: "RECIST measurements",
    Dialect.REGION: "Lesion contours",
}


def sr_report(session: Session) -> Dataset:
    """The session's report, in a series of its own."""
    visit, dialect = session.visit, session.dialect
    reader = hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=session.reader.name),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=reader),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[_group(reading, session) for reading in session.readings],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=session.images if dialect is Dialect.AXES else None,
    )
    kind = hd.sr.Comprehensive3DSR if dialect is Dialect.OHIF and visit.index % 2 else hd.sr.ComprehensiveSR
    ds: Dataset = kind(
        evidence=session.images,
        content=content[0],
        series_instance_uid=visit.uid("series", "sr"),
        series_number=100,
        sop_instance_uid=visit.uid("sr"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=dialect is not Dialect.OHIF,
        institution_name="Synthetic Hospital",
    )
    ds.SeriesDescription = f"{_SERIES[dialect]} (synthetic phantom)"
    ds.SoftwareVersions = "1.0"
    ds.ContentDate = session.read_at.strftime("%Y%m%d")
    ds.ContentTime = session.read_at.strftime("%H%M%S")
    return dated(ds, session)


def dated(ds: Dataset, session: Session) -> Dataset:
    """The object with the session's own time instead of the clock's, and its file meta."""
    ds.SeriesDate = ds.InstanceCreationDate = session.read_at.strftime("%Y%m%d")
    ds.SeriesTime = ds.InstanceCreationTime = session.read_at.strftime("%H%M%S")
    for equipment in ds.get("ContributingEquipmentSequence", []):  # the library signs with the clock's time
        equipment.ContributionDateTime = session.read_at.strftime("%Y%m%d%H%M%S")
    ds.file_meta = file_meta_of(ds.SOPClassUID, ds.SOPInstanceUID)
    return ds


def _group(reading: Reading, session: Session) -> _Group:
    visit, number = session.visit, reading.lesion.number
    finding, site = (hd.sr.CodedConcept(c.value, c.scheme, c.meaning) for c in (reading.finding, reading.site))
    sites = [hd.sr.FindingSite(anatomic_location=site)]
    if session.dialect is Dialect.OHIF:
        # Nobody types a finding there, and each saving makes new UIDs.
        tracking = hd.sr.TrackingIdentifier(uid=visit.uid("tracking", number), identifier=BIDIRECTIONAL)
        return hd.sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            finding_sites=sites if number % 2 else None,
            measurements=_numbers(reading, ("Long Axis", "Short Axis"), with_points=True),
        )
    tracking = hd.sr.TrackingIdentifier(uid=visit.patient_uid("tracking", number), identifier=f"Lesion {number}")
    if session.dialect is Dialect.AXES:
        return hd.sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            finding_type=finding,
            finding_sites=sites,
            measurements=_numbers(reading, ("Long axis", "Short axis"), with_points=True),
        )
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        referenced_region=hd.sr.ImageRegion(
            graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
            graphic_data=_scoords((*reading.outline, reading.outline[0])),
            source_image=_source(reading),
        ),
        finding_type=finding,
        finding_sites=sites,
        measurements=_numbers(reading, ("Long axis", "Short axis"), with_points=False),
    )


def _numbers(reading: Reading, meanings: tuple[str, str], with_points: bool) -> list[hd.sr.Measurement]:
    """The two NUM items; the codes are SCT's, the meanings as each writer spells them."""
    rows = zip(
        (codes.SCT.LongAxis, codes.SCT.ShortAxis),
        meanings,
        (reading.long_axis_mm, reading.short_axis_mm),
        (reading.long_axis, reading.short_axis),
        strict=True,
    )
    return [
        hd.sr.Measurement(
            name=hd.sr.CodedConcept(code.value, code.scheme_designator, meaning),
            value=value_mm,
            unit=codes.UCUM.Millimeter,
            referenced_coordinates=[_line(axis, reading)] if with_points else None,
        )
        for code, meaning, value_mm, axis in rows
    ]


def _line(axis: Axis, reading: Reading) -> hd.sr.CoordinatesForMeasurement:
    return hd.sr.CoordinatesForMeasurement(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=_scoords(axis.points),
        source_image=_source(reading),
    )


def _source(reading: Reading) -> hd.sr.SourceImageForRegion:
    return hd.sr.SourceImageForRegion(reading.image.SOPClassUID, reading.image.SOPInstanceUID)


def _scoords(points: tuple[PointPx, ...]) -> np.ndarray:
    """(N, 2) column and row as PS3.3 C.18.6.1 counts them."""
    return np.array([point.to_scoord() for point in points])
