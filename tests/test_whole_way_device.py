"""While a training has the device, studies wait for it and say so, and everything else goes on."""

from pathlib import Path

import pytest
from whole_way import analysis_state, keep, register, serving, site_with_pacs, study, until

from db.engine import reading
from db.models import Study
from dicom_node.device import device_of_its_own
from dicom_node.joblist import open_jobs
from dicom_node.workflows import WAITS_FOR_DEVICE

pytestmark = pytest.mark.slow


def test_studies_are_harvested_while_others_wait_for_the_device(tmp_path: Path, database_url: str) -> None:
    first, second = study(0), study(1)
    with site_with_pacs(tmp_path, database_url, quiet_s=0.5) as (site, _):
        register(site)

        def waits(uid: str) -> bool:
            with reading(site.node.sessions) as session:
                return any(job.job == f"study:{uid}" and job.message == WAITS_FOR_DEVICE for job in open_jobs(session))

        def harvested(uid: str) -> bool:
            with reading(site.node.sessions) as session:
                found = session.get(Study, uid)
                return found is not None and 0 < found.revision == found.harvested_revision

        with serving(site):
            with device_of_its_own(site.config):  # as a training does
                keep(site, [*first.images, *first.reports])
                until(lambda: waits(first.study_instance_uid), "the first study waits for the device")
                keep(site, [*second.images, *second.reports])
                until(lambda: harvested(second.study_instance_uid), "the second study is harvested")
                assert waits(first.study_instance_uid)
            until(lambda: analysis_state(site, first.study_instance_uid) != "", "the first study is analysed")
            assert not waits(first.study_instance_uid)
