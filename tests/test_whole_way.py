"""The whole way on a node that runs as its users run it: receive, settle, harvest, detect, report, deliver."""

from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import select
from whole_way import (
    Site,
    analysis_state,
    at_pacs,
    command,
    current,
    keep,
    ledger,
    register,
    send,
    serving,
    site_with_pacs,
    study,
    wait_for_work,
)

from db import deliveries
from db.engine import reading, utc_now
from db.models import LesionRow, SourceObject, Study
from dicom_node.sql import query

pytestmark = pytest.mark.slow


def revision(site: Site, study_uid: str) -> int:
    with reading(site.node.sessions) as session:
        return session.get_one(Study, study_uid).revision


def named(ds: Dataset, keyword: str) -> set[str]:
    """The SOP Instance UIDs that a document names in one of its evidence sequences."""
    return {
        str(item.ReferencedSOPInstanceUID)
        for each in ds.get(keyword, [])
        for series in each.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def corrected(images: list[Dataset]) -> list[Dataset]:
    """As a PACS sends a study again after a patient was mixed up with another."""
    again = [deepcopy(image) for image in images]
    for image in again:
        image.PatientID, image.PatientName = "PHANTOM-RIGHT", "Right^Person"
    return again


def test_studies_go_all_the_way_and_a_late_slice_supersedes_their_results(tmp_path: Path, any_url: str) -> None:
    whole, short = study(0), study(1)
    uid = short.study_instance_uid
    with site_with_pacs(tmp_path, any_url) as (site, _), serving(site):
        model_id = register(site)
        send(site, [*whole.images, *whole.reports])
        send(site, [*short.images[:-1], *short.reports])
        wait_for_work(site)

        _, rows = query(site.config.url, "SELECT study_instance_uid, count(*) FROM lesions GROUP BY 1")
        marked = {s.study_instance_uid: sum(lesion.marked for lesion in s.lesions) for s in (whole, short)}
        assert dict(rows) == marked and all(marked.values())
        first = current(site, uid)
        for each in (whole.study_instance_uid, uid):
            assert analysis_state(site, each) == "found"
            stored = at_pacs(site, each)
            assert set(stored) == set(current(site, each).values()), "the PACS holds what stands, and only that"
            assert sorted(ds.Modality for ds in stored.values()) == ["SEG", "SR"]
            assert {str(ds.PatientID) for ds in stored.values()} == {str(study_of(each).images[0].PatientID)}
        assert query(site.config.url, "SELECT DISTINCT model_id FROM detections")[1] == [(model_id,)]
        before = current(site, whole.study_instance_uid)

        send(site, short.images[-1:])
        wait_for_work(site)

        second, stored = current(site, uid), at_pacs(site, uid)
        assert set(first) == set(second) == {"SR", "SEG"}
        assert set(stored) == {*first.values(), *second.values()}, "the PACS holds both"
        for kind in ("SR", "SEG"):
            old, new = stored[first[kind]], stored[second[kind]]
            assert old.SeriesInstanceUID == new.SeriesInstanceUID
            assert (old.InstanceNumber, new.InstanceNumber) == (1, 2)
        assert named(stored[second["SR"]], "PredecessorDocumentsSequence") == {first["SR"]}
        evidence = named(stored[second["SR"]], "CurrentRequestedProcedureEvidenceSequence")
        assert second["SEG"] in evidence and first["SEG"] not in evidence
        _, rows = query(
            site.config.url,
            "SELECT result_sop_instance_uid, state, superseded_by, last_answer FROM deliveries"
            f" WHERE study_instance_uid = '{uid}'",
        )
        assert {row[0]: row[1:] for row in rows} == {
            first["SR"]: ("delivered", second["SR"], "Success"),
            first["SEG"]: ("delivered", second["SEG"], "Success"),
            second["SR"]: ("delivered", None, "Success"),
            second["SEG"]: ("delivered", None, "Success"),
        }
        assert current(site, whole.study_instance_uid) == before, "the other study is left alone"


def study_of(study_uid: str) -> object:
    return next(s for s in map(study, range(3)) if s.study_instance_uid == study_uid)


def test_a_corrected_patient_gets_a_new_result_and_the_old_one_is_never_sent(tmp_path: Path, any_url: str) -> None:
    images, uid = list(study(0).images), study(0).study_instance_uid
    with site_with_pacs(tmp_path, any_url, mode="hold") as (site, pacs), serving(site):
        register(site)
        send(site, images)
        wait_for_work(site)
        first = current(site, uid)
        assert [row.delivery for row in ledger(site, uid)] == ["held", "held"] and pacs.stored == 0

        send(site, corrected(images))
        with site.node.sessions.begin() as session:  # a person releases them in this very moment
            for pk in deliveries.standing(session, "pacs", "held"):
                deliveries.release(session, pk, "tests", utc_now())
        wait_for_work(site)
        second = current(site, uid)
        assert set(second.values()).isdisjoint(first.values()) and pacs.stored == 0
        assert {row.uid: row.delivery for row in ledger(site, uid)} == {
            **dict.fromkeys(first.values(), "discarded"),
            **dict.fromkeys(second.values(), "held"),
        }

        released = command(site, "deliveries", "release", "pacs")
        assert (released.returncode, released.stdout) == (0, "2 results are released to pacs\n")
        wait_for_work(site)
        stored = at_pacs(site, uid)
        assert set(stored) == set(second.values())
        assert {str(ds.PatientID) for ds in stored.values()} == {"PHANTOM-RIGHT"}


def test_what_a_pacs_sends_back_of_ours_is_no_truth_and_brings_forth_nothing(tmp_path: Path, any_url: str) -> None:
    images, uid = list(study(0).images), study(0).study_instance_uid
    with site_with_pacs(tmp_path, any_url) as (site, pacs), serving(site):
        register(site)
        send(site, images)
        wait_for_work(site)
        before, stored = ledger(site, uid), at_pacs(site, uid)

        send(site, list(stored.values()))  # a PACS that routes whatever it gets
        copy = deepcopy(next(ds for ds in stored.values() if ds.Modality == "SR"))  # a viewer that saves it as its own
        copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["copy"])
        copy.SeriesInstanceUID = generate_uid(entropy_srcs=["copy's series"])
        for item in copy.ContentSequence:  # no word of a machine is left in it
            if item.ConceptNameCodeSequence[0].CodeValue == "121005":
                item.ConceptCodeSequence[0].CodeValue, item.ConceptCodeSequence[0].CodeMeaning = "121006", "Person"
        send(site, [copy])
        wait_for_work(site)

        assert revision(site, uid) >= 2
        assert ledger(site, uid) == before and pacs.stored == len(before) == 2
        assert analysis_state(site, uid) == "found", "the analysis holds for the new revision, too"
        with reading(site.node.sessions) as session:
            own = dict(session.execute(select(SourceObject.source_sop_instance_uid, SourceObject.own)).all())
            reasons = session.execute(select(LesionRow.source_sop_instance_uid, LesionRow.excluded_because)).all()
        assert own == {**dict.fromkeys(stored, True), str(copy.SOPInstanceUID): False}
        assert reasons, "the copy is read"
        assert {source for source, _ in reasons} == {str(copy.SOPInstanceUID)}
        assert None not in {reason for _, reason in reasons}


def test_what_cannot_be_analysed_says_why_and_stops_no_other_study(tmp_path: Path, database_url: str) -> None:
    reports = [report for report in study(0).reports if report.Modality == "SR"]
    broken, whole = [deepcopy(image) for image in study(1).images], study(2)
    broken[3].PixelData = broken[3].PixelData[:100]
    with site_with_pacs(tmp_path, database_url, quiet_s=0.3) as (site, pacs):
        register(site)
        for objects in (reports, broken, whole.images):
            keep(site, objects)
        with serving(site, "--role", "work"):
            wait_for_work(site)
        assert analysis_state(site, study(0).study_instance_uid) == "not analysed: the study has no images"
        assert analysis_state(site, study(1).study_instance_uid).startswith("failed: ")
        assert analysis_state(site, whole.study_instance_uid) == "found"
        assert pacs.stored == 2 and set(at_pacs(site, whole.study_instance_uid)) == set(
            current(site, whole.study_instance_uid).values()
        )
        listed = command(site, "jobs", "list")
        assert (listed.returncode, listed.stdout, listed.stderr) == (0, "", "none\n")
        rows = query(site.config.url, "SELECT outcome, reason FROM analyses WHERE outcome = 'failed'")[1]
        assert rows == [("failed", rows[0][1])] and "PHANTOM" not in rows[0][1]
