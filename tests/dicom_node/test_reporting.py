"""An analysis → results: once, in place of the earlier ones, and never for images that are no longer those."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from whole_way import Site, analysis_state, configure, current, keep, ledger, study

from db import analyses, registry, studies
from db.detection import Detection, Mask
from db.engine import reading, utc_now
from db.errors import LostFile
from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from db.models import Study
from dicom_node.deliver import deliver
from dicom_node.reporting import headers_of
from dicom_node.settle import settle_study
from dicom_node.workflows import detect, harvest, report_study

pytestmark = pytest.mark.slow  # each makes real objects: seconds together

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
PHANTOM = study(0)
UID = PHANTOM.study_instance_uid


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    """A node with one study in its first revision, and a peer that wants SEG and SR at once."""
    made = configure(tmp_path, database_url, 104)
    arrive(made, PHANTOM.images)
    with made.node.sessions.begin() as session:
        registry.keep_training_set(session, "set", [], None, NOW)
        registry.register(
            session, weights_sha256="a" * 64, weights_name="", training_set_id="set", label_generation=None, card={},
            froc={}, gate={}, git_commit="", now=NOW,
        )  # fmt: skip
    return made


def arrive(site: Site, objects: list[Dataset]) -> int:
    """Received and settled; the study's revision."""
    keep(site, objects)
    settled = settle_study(site.node.sessions, site.node.files, UID, utc_now(), site.node.site_key())
    assert settled is not None
    return settled.revision


def detection(site: Site, revision: int) -> Detection:
    with reading(site.node.sessions) as session:
        stored = studies.current_instances(session, UID)
    images = headers_of([site.node.files.path(each.file_name) for each in stored if each.modality == "CT"])
    axes = Axis(PointPx(20, 24), PointPx(32, 30)), Axis(PointPx(25, 30), PointPx(28, 24))
    key = ImageReference(str(images[5].SOPInstanceUID), 1)
    mask = Mask(5, 22, 18, np.ones((1, 10, 16), bool))
    box = BoxPx(17, 20, 35, 34)
    return Detection(f"d{revision}", key, box, 5, 5, *axes, 14.0, 7.0, 0.9, "lesion", "2.25.77", mask)


def analyse(site: Site, *, finds: bool) -> None:
    """What the detector's process would write of the present revision."""
    with reading(site.node.sessions) as session:
        revision = session.get_one(Study, UID).revision
    found = detection(site, revision)
    assert found.mask is not None
    site.node.files.write("masks/one.npz", analyses.mask_bytes(found.mask))
    with site.node.sessions.begin() as session:
        analyses.save(
            session, study_instance_uid=UID, study_revision=revision, model_id="a" * 12,
            series_instance_uid=str(PHANTOM.images[0].SeriesInstanceUID),
            detections=[(found, True, "masks/one.npz")] if finds else [], started_at=NOW,
            now=NOW + timedelta(hours=revision), images_sha256=studies.images_sha256(session, UID),
        )  # fmt: skip


def delivery_states(site: Site) -> dict[str, str]:
    return {row.uid: row.delivery for row in ledger(site, UID)}


def corrected() -> list[Dataset]:
    again = [deepcopy(image) for image in PHANTOM.images]
    for image in again:
        image.PatientID = "RIGHT"
    return again


def test_a_report_step_that_runs_again_leaves_the_objects_that_may_be_sent_already(site: Site) -> None:
    analyse(site, finds=True)
    assert report_study(site.node, UID) == "found, 2 objects"
    before = {path: path.read_bytes() for path in site.config.data_dir.glob("results/*/*.dcm")}
    assert report_study(site.node, UID) == "reported already"
    assert {path: path.read_bytes() for path in site.config.data_dir.glob("results/*/*.dcm")} == before
    assert [row.number for row in ledger(site, UID)] == [1, 1]


def test_a_report_that_comes_later_leaves_analysis_and_results_as_they_are(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    before = ledger(site, UID)
    assert arrive(site, PHANTOM.reports) == 2
    harvest(site.node, UID)
    assert detect(site.node, UID) == "the images are those of the last analysis"
    assert report_study(site.node, UID) == "reported already"
    assert ledger(site, UID) == before and analysis_state(site, UID) == "found"
    with reading(site.node.sessions) as session:
        assert studies.undone(session) == []


def test_an_analysis_that_was_not_reported_before_the_study_changed_is_reported_then(site: Site) -> None:
    analyse(site, finds=True)
    arrive(site, PHANTOM.reports)
    harvest(site.node, UID)
    detect(site.node, UID)
    assert report_study(site.node, UID) == "found, 2 objects"


def test_corrected_images_are_looked_at_anew_and_give_another_result_in_the_same_series(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    first = current(site, UID)
    arrive(site, corrected())
    assert detect(site.node, UID) == "no model is promoted yet", "and not: the images are those of the last analysis"
    with site.node.sessions.begin() as session:
        session.delete(analyses.newest(session, UID, 2))  # as if a model had been there
    analyse(site, finds=True)
    report_study(site.node, UID)
    second = current(site, UID)
    by_uid = {row.uid: row for row in ledger(site, UID)}
    for kind in ("SR", "SEG"):
        old, new = by_uid[first[kind]], by_uid[second[kind]]
        assert (old.superseded_by, old.delivery) == (new.uid, "discarded")
        assert (new.series, new.number, new.delivery) == (old.series, 2, "waiting")
        assert dcmread(next(site.config.data_dir.glob(f"results/*/{new.uid}.dcm"))).PatientID == "RIGHT"


def test_where_nothing_is_found_any_more_the_new_report_stands_for_all_earlier_objects(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    first = current(site, UID)
    arrive(site, corrected())
    analyse(site, finds=False)
    assert report_study(site.node, UID) == "none found, 1 objects"
    assert set(current(site, UID)) == {"SR"} and first["SR"] != current(site, UID)["SR"]
    assert {row.superseded_by for row in ledger(site, UID)} == {None, current(site, UID)["SR"]}


def test_a_result_that_would_speak_of_a_lost_image_waits_for_it(site: Site) -> None:
    analyse(site, finds=True)
    with reading(site.node.sessions) as session:
        lost = next(each for each in studies.current_instances(session, UID) if each.modality == "CT")
    path = site.node.files.path(lost.file_name)
    away = path.rename(path.with_suffix(".away"))
    with pytest.raises(LostFile) as raised:
        report_study(site.node, UID)
    assert raised.value.facts == {"sop_instance_uid": lost.sop_instance_uid, "lost": 1}
    away.rename(path)
    report_study(site.node, UID)
    assert set(current(site, UID)) == {"SR", "SEG"}


def test_a_result_of_images_that_are_no_longer_those_is_not_sent(site: Site) -> None:
    analyse(site, finds=True)
    report_study(site.node, UID)
    arrive(site, corrected())
    assert deliver(site.config, site.node.sessions, site.node.files, 1) == (
        "the study changed since; waiting for its new analysis"
    )
    assert set(delivery_states(site).values()) == {"waiting"}
    detect(site.node, UID)
    report_study(site.node, UID)
    assert deliver(site.config, site.node.sessions, site.node.files, 1) == (
        "the study changed before it was sent; then: not analysed, no model is promoted yet"
    )
    assert "discarded" in delivery_states(site).values()
