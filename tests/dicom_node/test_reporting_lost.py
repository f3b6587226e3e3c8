"""The report of a failure, where an image that it would name is lost."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from whole_way import configure, current, keep, study

from db import analyses, studies
from db.engine import reading, utc_now
from dicom_node.settle import settle_study
from dicom_node.workflows import report_study

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
PHANTOM = study(0)
UID = PHANTOM.study_instance_uid


@pytest.mark.slow
def test_a_failure_over_a_lost_image_is_reported_with_the_images_that_are_there(
    tmp_path: Path, database_url: str
) -> None:
    site = configure(tmp_path, database_url, 104)
    peers = [peer.model_copy(update={"report_empty": True}) for peer in site.config.peers]
    node = replace(site.node, config=site.config.model_copy(update={"peers": peers}))
    keep(site, PHANTOM.images)
    assert settle_study(node.sessions, node.files, UID, utc_now(), node.site_key()) is not None
    reason = "The file of a stored object is gone from the store; send the object again."
    with reading(node.sessions) as session:
        stored = studies.current_instances(session, UID)
    node.files.path(stored[0].file_name).unlink()
    with node.sessions.begin() as session:
        analyses.save_without_detections(session, "f", UID, 1, state="failed", reason=reason, now=NOW)
    assert report_study(node, UID) == "failed, 1 objects"
    content = next(site.config.data_dir.glob(f"results/*/{current(site, UID)['SR']}.dcm")).read_bytes()
    assert reason.encode() in content and stored[1].sop_instance_uid.encode() in content
    assert stored[0].sop_instance_uid.encode() not in content
