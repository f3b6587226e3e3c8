"""The database may go away under a running node, and come back: every role goes on, and nothing is lost."""

import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Server, running_server
from pydicom import Dataset
from pynetdicom import AE
from whole_way import (
    NODE,
    PACS,
    Site,
    analysis_state,
    at_pacs,
    current,
    register,
    send,
    serving,
    site_with_pacs,
    study,
    until,
    wait_for_work,
    wait_until_it_listens,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AWAY_S = 25.0
SECRET = "not-for-the-log"


@pytest.fixture
def server() -> Iterator[Server]:
    """One of its own, for it is stopped."""
    with running_server() as running:
        yield running


def whole_log(site: Site) -> str:
    return (site.folder / "node.log").read_text(errors="replace")


def pids(site: Site) -> dict[str, list[int]]:
    """Of each role, in the order of their starts."""
    started = re.findall(r"role=(\w+) started pid=(\d+)", whole_log(site))
    return {role: [int(pid) for name, pid in started if name == role] for role in ("receive", "work", "web")}


def page(site: Site, path: str) -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.config.web.port}{path}", headers={"Authorization": "Bearer tests"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:  # nobody listens yet
        return 0, ""


def c_store_status(site: Site, ds: Dataset) -> int:
    ae = AE(PACS)
    ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", site.config.dicom.port, ae_title=NODE)
    assert assoc.is_established
    try:
        return int(assoc.send_c_store(ds).Status)
    finally:
        assoc.release()


def until_it_runs(site: Site) -> None:
    wait_until_it_listens(site)
    until(lambda: page(site, "/healthz")[0] == 200, "the page", 60)
    until(lambda: "working as" in whole_log(site), "the worker", 60)


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["crash", "restart"])
def test_an_outage_of_the_database_ends_no_role_and_loses_no_study(
    tmp_path: Path, server: Server, how: signal.Signals
) -> None:
    url = server.new_database().replace("tester@", f"tester:{SECRET}@")  # it trusts everybody
    under_way, just_received, afterwards = study(0), study(1), study(2)
    with site_with_pacs(tmp_path, url, quiet_s=1.0) as (site, _pacs):
        register(site)
        with serving(site) as process:
            until_it_runs(site)
            before = pids(site)
            send(site, [*under_way.images, *under_way.reports])
            until(lambda: f"harvested study={under_way.study_instance_uid}" in whole_log(site), "its harvest", 60)
            send(site, just_received.images)

            server.stop(how)
            gone_at = time.monotonic()
            assert c_store_status(site, afterwards.images[0]) == 0xA700
            assert page(site, "/healthz") == (503, '{"status":"the database does not answer"}')
            for path in ("/", "/metrics"):
                status, text = page(site, path)
                assert status == 503 and "The database does not answer." in text
            time.sleep(gone_at + AWAY_S - time.monotonic())
            assert process.poll() is None, site.log
            assert pids(site) == before

            server.start()
            until(lambda: page(site, "/healthz")[0] == 200, "the page answers again", 30)
            send(site, afterwards.images)
            wait_for_work(site, 300)
            assert process.poll() is None
            assert pids(site) == before
        for phantom in (under_way, just_received, afterwards):
            uid = phantom.study_instance_uid
            assert analysis_state(site, uid) == "found"
            assert set(at_pacs(site, uid)) == set(current(site, uid).values())
        log = whole_log(site)
    assert len(re.findall("the database is away", log)) == len(re.findall("the database is back", log)) == 1
    assert "Traceback" not in log
    assert SECRET not in log


def test_a_role_that_dies_during_an_outage_waits_for_its_end(tmp_path: Path, server: Server) -> None:
    with site_with_pacs(tmp_path, server.new_database(), quiet_s=0.3) as (site, _pacs), serving(site) as process:
        until_it_runs(site)
        server.stop()
        for role in ("work", "web"):
            os.kill(pids(site)[role][0], signal.SIGKILL)
        until(lambda: len(re.findall("the database cannot be reached", whole_log(site))) == 2, "both wait", 60)
        time.sleep(12)  # five deaths would take less
        assert process.poll() is None, site.log
        server.start()
        until(lambda: whole_log(site).count("working as") == 2, "the worker works again", 60)
        until(lambda: page(site, "/healthz")[0] == 200, "the page is back", 60)
        assert {role: len(each) for role, each in pids(site).items()} == {"receive": 1, "work": 2, "web": 2}


def test_a_node_is_stopped_in_time_while_its_database_is_away(tmp_path: Path, server: Server) -> None:
    with site_with_pacs(tmp_path, server.new_database(), quiet_s=0.3) as (site, _pacs):
        register(site)
        with serving(site) as process:
            until_it_runs(site)
            send(site, study(0).images)
            until(lambda: f"harvested study={study(0).study_instance_uid}" in whole_log(site), "its harvest", 60)
            server.stop()
            until(lambda: "the database is away" in whole_log(site), "the worker sees it", 30)
            process.terminate()
            began = time.monotonic()
            assert process.wait(60) == 0
            assert time.monotonic() - began < 20, site.log
        server.start()
        with serving(site):
            wait_for_work(site)
        assert analysis_state(site, study(0).study_instance_uid) == "found"
