"""The patient and study attributes that a result takes over from its source, and their fingerprint. Pure.

They are copied as they stand, also where they break a rule of the standard: a PACS files a result by them, so they
must be the ones it knows. Only the character set becomes ISO_IR 192.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta, timezone
from hashlib import sha256

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from dicom_node.report.context import LONG_STRING, RESEARCH_ONLY, Context, ModelDescription

UTF_8 = "ISO_IR 192"
_ZONE_DIGITS = 5  # &ZZXX
_FARTHEST_ZONE = timedelta(hours=14)  # PS3.3 C.12.1.1.8: -1200 to +1400

PATIENT = (  # PS3.3 C.7.1.1, C.7.1.3
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "SourcePatientGroupIdentificationSequence",
    "GroupOfPatientsIdentificationSequence",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientBirthDateInAlternativeCalendar",
    "PatientDeathDateInAlternativeCalendar",
    "PatientAlternativeCalendar",
    "PatientSex",
    "QualityControlSubject",
    "ReferencedPatientSequence",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "EthnicGroup",
    "PatientComments",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "StrainDescription",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
)
STUDY = (  # PS3.3 C.7.2.1, C.7.2.2, C.7.2.3
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence",
    "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence",
    "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence",
    "NameOfPhysiciansReadingStudy",
    "PhysiciansReadingStudyIdentificationSequence",
    "RequestingServiceCodeSequence",
    "ReferencedStudySequence",
    "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientBodyMassIndex",
    "PatientSizeCodeSequence",
    "MedicalAlerts",
    "Allergies",
    "SmokingStatus",
    "PregnancyStatus",
    "LastMenstrualDate",
    "PatientState",
    "PatientSexNeutered",
    "Occupation",
    "AdditionalPatientHistory",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ReasonForVisit",
    "ReasonForVisitCodeSequence",
    "ServiceEpisodeID",
    "ServiceEpisodeDescription",
    "IssuerOfServiceEpisodeIDSequence",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
)
TYPE_2 = (  # must be there, may be empty
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def copied_header(source: Dataset) -> Dataset:
    """The patient and study attributes of an image, decoded and marked as ISO_IR 192; the source stays as it is."""
    header = Dataset()
    header.SpecificCharacterSet = UTF_8
    for keyword in (*PATIENT, *STUDY, "TimezoneOffsetFromUTC"):
        if keyword in source:
            # Access converts the value with the character set of the item it stands in, nested ones included.
            element = deepcopy(source[keyword])
            if element.VR == "SQ":
                for item in element.value:
                    _decode(item)
            header.add(element)
    for keyword in TYPE_2:
        if keyword not in header:
            setattr(header, keyword, None)
    return header


def _decode(item: Dataset) -> None:
    item.decode()
    if "SpecificCharacterSet" in item:
        del item.SpecificCharacterSet
    for element in item:
        if element.VR == "SQ":
            for child in element.value:
                _decode(child)


def header_sha256(source: Dataset) -> str:
    """Fingerprint of what `copied_header` takes over: another value means that a result is stale.

    The same text in another character set or transfer syntax gives the same value.
    """
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    write_dataset(buffer, copied_header(source), parent_encoding=UTF_8)
    return sha256(buffer.getvalue()).hexdigest()


def local_time(source: Dataset, moment: datetime) -> datetime:
    """The moment in the zone of the source (PS3.3 C.12.1.1.8), or unchanged where the source tells none that can be.

    Timezone Offset From UTC rules every date and time of an object, the copied study time too.
    """
    offset = str(source.get("TimezoneOffsetFromUTC", "") or "").strip()
    if len(offset) != _ZONE_DIGITS or offset[0] not in "+-" or not offset[1:].isdigit():
        return moment
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    if ahead > _FARTHEST_ZONE:
        return moment
    return moment.astimezone(timezone(ahead if offset[0] == "+" else -ahead))


def finish(result: Dataset, context: Context, what: str) -> Dataset:
    """Give a new object the header of its source, its own times and its description."""
    inherit(result, context.images[0], context.created_at)
    result.SeriesDescription = series_description(what, context.model)
    return result


def inherit(result: Dataset, source: Dataset, created_at: datetime) -> None:
    """Give a new object the header of its source and its own times."""
    for element in copied_header(source):
        result[Tag(element.tag)] = element
    moment = local_time(source, created_at)
    day, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
    for level in ("InstanceCreation", "Content", "Series"):
        setattr(result, f"{level}Date", day)
        setattr(result, f"{level}Time", time)
    for equipment in result.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in equipment:  # highdicom's own note of itself, with the clock of this machine
            equipment.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S%z")


def series_description(what: str, model: ModelDescription) -> str:
    """What a series holds and who made it; where both are too long, the model's id stays and its name is cut."""
    version = f" {model.model_id}"[: LONG_STRING // 2].rstrip()
    return f"{RESEARCH_ONLY}: {what}, {model.name}"[: LONG_STRING - len(version)].rstrip() + version
