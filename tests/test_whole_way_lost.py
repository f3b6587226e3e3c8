"""A stored file that is gone: said once, shown, and healed by the same object; nothing repeats for ever."""

from pathlib import Path

import pytest
from sqlalchemy import select
from whole_way import (
    Site,
    analysis_state,
    at_pacs,
    current,
    keep,
    register,
    send,
    serving,
    site_with_pacs,
    study,
    until,
    wait_for_work,
)

from db.engine import reading
from db.models import Instance, Refusal, Study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def lose(site: Site, sop_instance_uid: str) -> None:
    with reading(site.node.sessions) as session:
        row = session.scalars(select(Instance).filter_by(sop_instance_uid=sop_instance_uid)).one()
    site.node.files.path(row.file_name).unlink()


def listed(site: Site) -> list[str]:
    with reading(site.node.sessions) as session:
        return list(session.scalars(select(Refusal.sop_instance_uid).where(Refusal.reason_code == "lost")))


def whole_log(site: Site) -> str:
    return (site.folder / "node.log").read_text(errors="replace")


@pytest.mark.parametrize("settled_before", [False, True])
def test_a_lost_file_fails_its_study_once_and_the_same_object_again_heals_it(
    tmp_path: Path, any_url: str, settled_before: bool
) -> None:
    phantom = study(0)
    uid, lost = phantom.study_instance_uid, str(phantom.images[3].SOPInstanceUID)
    with site_with_pacs(tmp_path, any_url, quiet_s=0.5) as (site, _pacs):
        if settled_before:  # lost later, between settling and analysis
            keep(site, phantom.images)
            with serving(site, "--role", "work"):
                wait_for_work(site)
        register(site)
        keep(site, [*phantom.reports, *([] if settled_before else phantom.images)])
        lose(site, lost)
        with serving(site):
            wait_for_work(site)
            assert analysis_state(site, uid) == (
                "failed: The file of a stored object is gone from the store; send the object again."
                f" (sop_instance_uid={lost}, lost=1)"
            )
            assert listed(site) == [lost]
            send(site, [phantom.images[3]])
            until(lambda: listed(site) == [], "the list is empty", 30)
            wait_for_work(site)
            assert analysis_state(site, uid) == "found"
            assert set(at_pacs(site, uid)) >= set(current(site, uid).values())
        with reading(site.node.sessions) as session:
            assert session.get_one(Study, uid).error == "", "no step failed over it"
    log = whole_log(site)
    assert log.count(f"lost sop_instance={lost}") == 1
    assert log.count(f"found again sop_instance={lost}") == 1
    assert "Traceback" not in log
