"""A real Orthanc as the PACS: it routes CT and SR to the node, gets our SR and SEG into the same study and commits to
them, and asks us to commit to what it sent.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dciodvfy import errors_in
from orthanc import AE_TITLE, Orthanc, running_orthanc
from pydicom import Dataset, dcmread
from whole_way import (
    NODE,
    Site,
    configure,
    current,
    ledger,
    register,
    serving,
    study,
    until,
    wait_for_work,
    wait_until_it_listens,
)

from dicom_node.demo import free_port
from dicom_node.sql import query

pytestmark = pytest.mark.slow


def part10(ds: Dataset) -> bytes:
    content = BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return content.getvalue()


def wait_for_commitment(site: Site, study_uid: str) -> None:
    """Until the PACS has promised to keep every result of a study."""
    until(
        lambda: {row.delivery for row in ledger(site, study_uid)} == {"committed"},
        f"storage commitment\n{site.log}\n{ledger(site, study_uid)}",
        60.0,
    )


def test_orthanc_routes_a_study_and_holds_our_results_in_it(tmp_path: Path, any_url: str) -> None:
    phantom = next(s for s in map(study, range(5)) if any(report.Modality == "SR" for report in s.reports))
    uid, port = phantom.study_instance_uid, free_port()
    with running_orthanc(tmp_path / "orthanc", NODE, port) as orthanc:
        site = configure(tmp_path, any_url, orthanc.dicom_port, pacs_ae_title=AE_TITLE, port=port)
        register(site)
        for ds in (*phantom.images, *phantom.reports):
            orthanc.add(part10(ds))
        routed = orthanc.instances(uid)
        with serving(site):
            wait_until_it_listens(site)
            orthanc.tell("/modalities/node/store", [orthanc.study(uid)])
            wait_for_work(site)

            lesions = query(site.config.url, "SELECT count(*) FROM lesions WHERE excluded_because IS NULL")[1]
            assert lesions == [(sum(lesion.marked for lesion in phantom.lesions),)]
            ours, held = current(site, uid), orthanc.instances(uid)
            assert set(ours) == {"SR", "SEG"}
            assert set(held["SEG"]) - set(routed.get("SEG", [])) == {ours["SEG"]}
            assert set(held["SR"]) - set(routed["SR"]) == {ours["SR"]}
            assert sorted(held["CT"]) == sorted(routed["CT"])
            for kind, sop_instance_uid in ours.items():
                path = tmp_path / f"{kind}.dcm"
                path.write_bytes(orthanc.file(sop_instance_uid))
                assert errors_in(path) == [], kind
                back = dcmread(path)
                assert (back.StudyInstanceUID, back.PatientID) == (uid, phantom.images[0].PatientID)

            # Orthanc routes the whole study once more, our own results with it: nothing new comes of that.
            orthanc.tell("/modalities/node/store", [orthanc.study(uid)])
            wait_for_work(site)
            assert current(site, uid) == ours and orthanc.instances(uid) == held
            wait_for_commitment(site, uid)
            _, receipts = query(site.config.url, "SELECT objects, arrived, committed, complete FROM receipts")
            assert receipts == [(2, 2, 2, 1)]

            # Orthanc asks us the same of what it routed, and of one object that we never got.
            known = [[str(ds.SOPClassUID), str(ds.SOPInstanceUID)] for ds in phantom.images]
            assert answered(orthanc, known)["Status"] == "Success"
            told = answered(orthanc, [*known, [known[0][0], "2.25.404"]])
            assert (told["Status"], len(told["Success"])) == ("Failure", len(known))
            (failure,) = told["Failures"]
            assert (failure["SOPInstanceUID"], failure["FailureReason"]) == ("2.25.404", 0x0112)
    site.node.sessions.kw["bind"].dispose()


def answered(orthanc: Orthanc, references: list[list[str]]) -> dict[str, Any]:
    """What Orthanc knows after it asked us for storage commitment and we told it."""
    asked = orthanc.tell("/modalities/node/storage-commitment", {"DicomInstances": references})
    told: dict[str, Any] = {"Status": "Pending"}

    def heard() -> bool:
        told.update(orthanc.tell(asked["Path"]))
        return bool(told["Status"] != "Pending")

    until(heard, "our answer", 60.0)
    return told
