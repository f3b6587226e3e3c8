"""Jobs, models and deliveries on the command line, and what it says of a node that runs or cannot."""

import json
import socket
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli, cli_of, lonely_site, refused, save
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification
from sqlalchemy import select, text
from whole_way import Site, analysis_state, command, keep, serving, study, until, wait_for_work

from db import deliveries, registry
from db.engine import reading, utc_now
from db.models import LesionRow, Study
from db.outcomes import Analysis, Audit, Delivery, Model, Task
from db.outcomes import Result as ResultRow
from dicom_node import logs
from dicom_node.config import Peer
from dicom_node.heartbeat import beat
from dicom_node.receipt import commitment_of

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def logging_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is a guest in the tests' process."""
    monkeypatch.setattr(logs, "configure", lambda as_json=False: None)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return lonely_site(tmp_path, database_url)


@pytest.fixture
def cli(site: Site) -> Cli:
    return cli_of(site)


def failed_study(site: Site, uid: str = "1.2.3") -> None:
    with site.node.sessions.begin() as session:
        session.add(
            Study(
                study_instance_uid=uid, state="settled", revision=1, received_first_at=NOW, received_last_at=NOW,
                settled_at=NOW, attempted_revision=1, attempts=5, next_try_at=None, error="no disk",
            )
        )  # fmt: skip


def test_a_job_that_failed_for_good_is_listed_shown_and_tried_again_on_request(site: Site, cli: Cli) -> None:
    failed_study(site)
    listed = json.loads(cli("jobs", "list", "--json").stdout)
    assert listed == [{"job": "study:1.2.3", "state": "failed", "tries": 5, "next_try_at": None, "message": "no disk"}]
    assert cli("jobs", "show", "study:1.2.3").stdout.splitlines() == [
        "job: study:1.2.3", "state: failed", "tries: 5", "next_try_at: ", "message: no disk",
    ]  # fmt: skip
    assert cli("jobs", "retry", "study:1.2.3").exit_code == 0
    with reading(site.node.sessions) as session:
        next_try_at = session.get_one(Study, "1.2.3").next_try_at
        assert next_try_at is not None and next_try_at <= utc_now()
        assert session.scalars(select(Audit.action)).all() == ["retry study"]


def test_only_what_has_failed_is_tried_again(site: Site, cli: Cli) -> None:
    failed_study(site)
    with site.node.sessions.begin() as session:
        session.get_one(Study, "1.2.3").attempts = 0
        session.add_all(
            Task(task_pk=number, kind="train", state=state, asked_by="tests", asked_at=NOW)
            for number, state in enumerate(("waiting", "running", "done"), start=1)
        )
    pk = delivery_pk_of(site, outbox(site, study(0).images[0]))
    assert refused(cli("jobs", "retry", "study:1.2.3")).startswith("no try of this study has failed")
    for number, state in enumerate(("waiting", "running", "done"), start=1):
        told = f"a task that is {state} cannot be tried again (task={number})"
        assert refused(cli("jobs", "retry", f"task:{number}")) == told
    assert refused(cli("jobs", "retry", f"delivery:{pk}")).startswith("a delivery that is waiting cannot be changed")
    with reading(site.node.sessions) as session:
        assert session.scalars(select(Audit)).all() == []
        assert session.scalars(select(Task.state).order_by(Task.task_pk)).all() == ["waiting", "running", "done"]


def test_a_failed_task_is_asked_for_once_more_and_stays_on_record(site: Site, cli: Cli) -> None:
    with site.node.sessions.begin() as session:
        session.add(Task(task_pk=1, kind="train", state="failed", asked_by="tests", asked_at=NOW))
    said = [cli("jobs", "retry", "task:1").stdout for _ in range(2)]
    assert said == [
        "train is asked for; it begins when the worker is free.\n",
        "train is already asked for and begins when the worker is free.\n",
    ]
    with reading(site.node.sessions) as session:
        assert session.scalars(select(Task.state).order_by(Task.task_pk)).all() == ["failed", "waiting"]


@pytest.mark.parametrize(
    ("command", "target"),
    [(["harvest"], "what is new"), (["harvest", "--again"], "everything that is stored"), (["train"], "task 1"),
     (["categorise"], "in the foreground")],
)  # fmt: skip
def test_who_harvests_and_learns_is_on_record(site: Site, cli: Cli, command: list[str], target: str) -> None:
    if target == "task 1":  # a worker is there, and fails at once
        with site.node.sessions.begin() as session:
            beat(session, "here-work", "work", utc_now())
            session.execute(
                text("CREATE TRIGGER fail AFTER INSERT ON task BEGIN UPDATE task SET state = 'failed'; END")
            )
    cli(*command)  # without lesions, learning is refused: it was asked for all the same
    with reading(site.node.sessions) as session:
        (row,) = session.scalars(select(Audit))
    assert (row.action, row.target) == (command[0], target)
    assert row.actor.endswith("(command line)")


@pytest.mark.parametrize("job", ["study:9", "task:9", "task:x", "delivery:9", "nonsense"])
def test_an_unknown_job_is_refused_and_nothing_changes(site: Site, cli: Cli, job: str) -> None:
    assert refused(cli("jobs", "show", job)) == f"there is no open job of that name (job={job})"
    assert refused(cli("jobs", "retry", job)).startswith("there is no ")
    with reading(site.node.sessions) as session:
        assert session.scalars(select(Audit)).all() == [] and session.scalars(select(Task)).all() == []


def add_models(site: Site, *names: str) -> list[str]:
    with site.node.sessions.begin() as session:
        registry.keep_training_set(session, "set", [], None, NOW)
        return [
            registry.register(
                session, weights_sha256=name * 64, weights_name=f"models/{name}.safetensors", training_set_id="set",
                label_generation=None, card={}, froc={}, gate={}, git_commit="", now=NOW + timedelta(hours=hour),
            ).model_id
            for hour, name in enumerate(names)
        ]  # fmt: skip


def test_models_are_promoted_and_rolled_back_by_command(site: Site, cli: Cli) -> None:
    a, b = add_models(site, "a", "b")
    assert refused(cli("models", "rollback")) == "there is no earlier model to go back to"
    assert refused(cli("models", "promote", "c")) == "there is no such model (model_id=c)"
    assert cli("models", "promote", a).stdout == f"{a} is promoted\n"
    assert cli("models", "promote", b).stdout == f"{b} is promoted\n"
    assert cli("models", "rollback").stdout == f"{a} is promoted again\n"
    with reading(site.node.sessions) as session:
        assert dict(session.execute(select(Model.model_id, Model.state)).all()) == {a: "promoted", b: "candidate"}
        actions = session.scalars(select(Audit.action).order_by(Audit.audit_pk)).all()
    assert actions == ["promote model", "promote model", "roll back model"]


def outbox(site: Site, ds: Dataset, mode: str = "send") -> str:
    """One result of ours that waits for the PACS: any object will do."""
    uid, study_uid = str(ds.SOPInstanceUID), str(ds.StudyInstanceUID)
    path = site.node.files.path(f"results/{uid}.dcm")
    path.parent.mkdir(parents=True)
    save(ds, path)
    with site.node.sessions.begin() as session:
        session.add(
            Study(
                study_instance_uid=study_uid, state="settled", revision=1, harvested_revision=1, analysed_revision=1,
                analyse=True, received_first_at=NOW, received_last_at=NOW, settled_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Analysis(
                analysis_id="a", study_instance_uid=study_uid, study_revision=1, state="found", started_at=NOW,
                finished_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            ResultRow(
                result_sop_instance_uid=uid, analysis_id="a", kind="SR", profile="ohif", file_name=f"results/{uid}.dcm",
                sop_class_uid=str(ds.SOPClassUID), series_instance_uid=str(ds.SeriesInstanceUID), instance_number=1,
                header_sha256="", created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        deliveries.put(session, uid, "pacs", mode, NOW)
    return uid


def delivery(site: Site) -> Delivery:
    with reading(site.node.sessions) as session:
        return session.scalars(select(Delivery)).one()


def delivery_pk_of(site: Site, uid: str) -> int:
    with reading(site.node.sessions) as session:
        (pk,) = deliveries.of_result(session, uid, None)
    return pk


def test_a_replaced_result_is_not_sent_again_and_stays_known_as_delivered(site: Site, cli: Cli) -> None:
    uid = outbox(site, study(0).images[0])
    pk = delivery_pk_of(site, uid)
    with site.node.sessions.begin() as session:
        deliveries.note_success(session, pk, "Success", NOW)
        session.get_one(ResultRow, uid).superseded_by = uid
    told = f"a newer result has replaced this one; release or resend that (delivery={pk})"
    assert refused(cli("deliveries", "resend", uid)) == told
    assert refused(cli("jobs", "retry", f"delivery:{pk}")) == told
    after = delivery(site)
    assert (after.state, after.delivered_at, after.last_answer) == ("delivered", NOW, "Success")


def test_a_result_is_sent_again_where_it_was_given_up_and_released_where_it_is_held(site: Site, cli: Cli) -> None:
    uid = outbox(site, study(0).images[0], "hold")
    with site.node.sessions.begin() as session:
        deliveries.put(session, uid, "archive", "send", NOW)
        dead = session.scalars(select(Delivery).where(Delivery.destination == "archive")).one()
        dead.state, dead.tries = "dead", 30
    assert cli("deliveries", "resend", uid).stdout == "2 deliveries wait to be sent\n"
    with reading(site.node.sessions) as session:
        assert session.execute(select(Delivery.state, Delivery.tries)).all() == [("waiting", 0)] * 2
    assert refused(cli("deliveries", "resend", uid, "--to", "archive")).startswith("a delivery that is waiting cannot")


def test_held_results_are_released_for_one_destination(site: Site, cli: Cli) -> None:
    outbox(site, study(0).images[0], "hold")
    assert (
        refused(cli("deliveries", "release", "ris")) == "there is no such peer in node.toml (peer=ris, known=['pacs'])"
    )
    assert delivery(site).state == "held"
    assert cli("deliveries", "release", "pacs").stdout == "1 results are released to pacs\n"
    assert delivery(site).state == "waiting"
    assert cli("deliveries", "release", "pacs").stdout == "0 results are released to pacs\n"


def test_an_unknown_result_cannot_be_sent_again(cli: Cli) -> None:
    assert refused(cli("deliveries", "resend", "1.2")) == "there is no such delivery (result=1.2, destination=None)"


def test_a_receipt_says_how_safe_each_result_is_at_each_destination(site: Site, cli: Cli) -> None:
    images = study(0).images
    uid = outbox(site, images[0])
    with site.node.sessions.begin() as session:
        deliveries.put(session, uid, "former", "send", NOW)
        (pk,) = deliveries.of_result(session, uid, "pacs")
        deliveries.note_success(session, pk, "Success", NOW, commit_at=NOW)
    told = json.loads(cli("deliveries", "receipt", images[0].StudyInstanceUID, "--json").stdout)
    assert [(line["destination"], line["state"], line["commitment"]) for line in told] == [
        ("former", "waiting", ""), ("pacs", "delivered", "due"),
    ]  # fmt: skip
    assert refused(cli("deliveries", "receipt", "1.2")) == "there is no such study (study_instance_uid=1.2)"


@pytest.mark.parametrize(
    ("changes", "peer", "words"),
    [
        ({"state": "waiting"}, {}, ""),
        ({"state": "committed"}, {}, "committed"),
        ({"next_commit_at": NOW}, {}, "due"),
        ({"next_commit_at": NOW, "commit_tries": 2}, {}, "asked"),
        ({"commit_tries": 10}, {}, "asked, never answered"),
        ({}, {}, "the peer offers none"),
        ({}, {"commitment": False}, "not asked: commitment = false"),
        ({}, {"send_by": "stow-rs", "dicomweb_url": "http://a"}, "not asked: DICOMweb has none"),
        ({}, None, "not asked: no longer a destination"),
    ],
)
def test_how_far_a_commitment_is_has_words(changes: dict[str, Any], peer: dict[str, Any] | None, words: str) -> None:
    delivery = Delivery(**{"state": "delivered", "commit_tries": 0} | changes)
    known = None if peer is None else Peer(name="a", ae_title="A", **peer)
    assert commitment_of(delivery, known) == words


def test_a_person_withdraws_a_result(site: Site, cli: Cli) -> None:
    uid = outbox(site, study(0).images[0])
    assert cli("deliveries", "withdraw", uid).stdout == "The result is withdrawn; it is not sent to pacs.\n"
    assert (delivery(site).state, delivery(site).last_answer) == ("discarded", "withdrawn by a person")
    assert refused(cli("deliveries", "withdraw", uid)) == f"this result is withdrawn already (result={uid})"


@pytest.mark.slow
def test_a_result_waits_for_a_pacs_that_is_away(site: Site, cli: Cli) -> None:
    uid = outbox(site, study(0).images[0])
    with serving(site, "--role", "work"):
        until(lambda: delivery(site).tries == 1, "the first try", 60)
    address = f"127.0.0.1:{site.config.peer('pacs').port}"
    told = f"the peer cannot be reached (peer=pacs, address={address})"
    assert (delivery(site).state, delivery(site).last_answer) == ("waiting", told)
    (job,) = json.loads(cli("jobs", "list", "--json").stdout)
    assert (job["state"], job["tries"], job["message"]) == ("waiting for pacs", 1, told)
    assert site.node.files.path(f"results/{uid}.dcm").is_file()


@pytest.mark.slow
def test_a_pacs_that_refuses_our_sop_class_gets_the_result_when_it_allows_it(site: Site, cli: Cli) -> None:
    report = next(r for s in map(study, range(5)) for r in s.reports if r.Modality == "SR")
    uid, port = outbox(site, report), site.config.peer("pacs").port
    stored: list[str] = []

    def take(event: evt.Event) -> int:
        stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def pacs(*sop_classes: str) -> Any:
        ae = AE("PACS")
        for sop_class in (Verification, *sop_classes):
            ae.add_supported_context(sop_class)
        return ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])

    strict = pacs(CTImageStorage)
    with serving(site, "--role", "work"):
        until(lambda: delivery(site).tries == 1, "the first try", 60)
        told = "the peer does not accept this SOP class; allow it there or deliver another profile"
        assert delivery(site).last_answer.startswith(told) and str(report.SOPClassUID) in delivery(site).last_answer
        assert delivery(site).state == "waiting" and stored == []
        strict.shutdown()
        open_minded = pacs(str(report.SOPClassUID))
        assert cli("deliveries", "resend", uid).stdout == "1 deliveries wait to be sent\n"
        wait_for_work(site, 60)
        open_minded.shutdown()
    assert (delivery(site).state, delivery(site).last_answer, stored) == ("delivered", "Success", [uid])


@pytest.mark.slow
def test_without_a_promoted_model_nothing_is_detected_or_sent(site: Site, cli: Cli) -> None:
    phantom = study(0)
    keep(site, [deepcopy(ds) for ds in (*phantom.images, *phantom.reports)])
    with serving(site, "--role", "work"):
        wait_for_work(site, 60)
    assert analysis_state(site, phantom.study_instance_uid) == "not analysed: no model is promoted yet"
    assert json.loads(cli("deliveries", "list", "--json").stdout) == []
    with reading(site.node.sessions) as session:
        lesions = session.scalars(select(LesionRow.lesion_id)).all()
    assert len(lesions) == sum(lesion.marked for lesion in phantom.lesions), "it is harvested all the same"


# --- ports --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("role", "section"), [("receive", "dicom"), ("web", "web")])
def test_a_port_in_use_is_named_with_what_to_do(site: Site, role: str, section: str) -> None:
    port = getattr(site.config, section).port
    with socket.create_server(("127.0.0.1", port)) as other:
        ended = command(site, "serve", "--role", role)
        assert other.fileno() >= 0
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"dicom-node: cannot listen on {section}.host and {section}.port: Address already in use; free the port or set"
        f" another (host=127.0.0.1, port={port})"
    )
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_node_whose_port_is_in_use_ends_with_the_reason(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.config.dicom.port)):
        ended = command(site, "serve")
    lines = [line for line in ended.stderr.splitlines() if line.startswith("dicom-node: ")]
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert len([line for line in lines if "cannot listen on dicom.host and dicom.port" in line]) == 5
    assert lines[-1] == (
        "dicom-node: A role of the node died again and again; its last message says why."
        " (role=receive, deaths=5, within_s=60, last_status=1)"
    )
