"""The command line: what a person reads where something is wrong, and what stays intact."""

import json
import socket
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification
from sqlalchemy import create_engine, inspect, select, text
from whole_way import Site, analysis_state, command, configure, keep, serving, study, until, wait_for_work

from db import deliveries, registry
from db.engine import reading, sqlite_url, utc_now
from db.models import LesionRow, Study
from db.outcomes import Analysis, Audit, Delivery, Model, Task
from db.outcomes import Result as ResultRow
from dicom_node import logs
from dicom_node.cli import main
from dicom_node.pacs_stand_in import PacsStandIn
from dicom_node.settle import settle_study

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def logging_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In these tests the command line is a guest in the process."""
    monkeypatch.setattr(logs, "configure", lambda as_json=False: None)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return configure(tmp_path, database_url, unused_port(), quiet_s=0.3)


@pytest.fixture
def cli(site: Site) -> Cli:
    return lambda *arguments: run(*arguments, "--config", str(site.config_path))


def run(*arguments: str) -> Result:
    """A command; whatever goes wrong in it, a traceback is a bug."""
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def refused(result: Result) -> str:
    """The one line that a refused command leaves on stderr, behind the program's name."""
    assert result.exit_code == 1 and result.stdout == "", result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("dicom-node: ")
    return line.removeprefix("dicom-node: ")


# --- a new node ---------------------------------------------------------------------------------------------------


def test_init_makes_a_node_that_needs_nothing_more(tmp_path: Path) -> None:
    made = run("init", "--dir", str(tmp_path / "site"))
    path = tmp_path / "site" / "node.toml"
    assert made.exit_code == 0 and made.stdout.startswith(f"{path}: name your PACS under [[peers]]")
    assert path.stat().st_mode & 0o777 == 0o600, "it holds the page's token"
    assert run("db", "current", "--config", str(path)).stdout == "0001 (newest: 0001)\n"
    assert run("jobs", "list", "--config", str(path)).stderr == "none\n"


def test_init_never_writes_over_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("# mine")
    message = "there is a configuration already; edit it, or choose another --dir"
    assert refused(run("init", "--dir", str(tmp_path))) == f"{message} (path={tmp_path / 'node.toml'})"
    assert (tmp_path / "node.toml").read_text() == "# mine"


def test_without_a_configuration_the_way_to_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    told = f"there is no configuration file; write one with `dicom-node init` (path={path})"
    assert refused(run("peers", "list", "--config", str(path))) == told


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[dicom]\nprot = 104", "dicom.prot is an unknown key; known here: ae_title, host, port, max_pdu, "
         "max_associations"),
        ("dicomm = 1", "dicomm is an unknown key; known here: data_dir, database_url, dicom, peers, detector, gate, "
         "settle, schedule, web, retention"),
        ("[dicom]\nport = 70000", "dicom.port: Input should be less than or equal to 65535"),
        ('[[peers]]\nname = "a"\nae_title = "A"\nmode = "sned"', "peers.1.mode: Input should be 'hold' or 'send'"),
        ('[[peers]]\nname = "a"\nae_title = "A"\n[[peers]]\nname = "a"\nae_title = "B"',
         "peers: two peers have the same name: a"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named_with_what_is_known(tmp_path: Path, toml: str, told: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text(toml)
    line = refused(run("serve", "--config", str(path)))
    assert line.removeprefix(f"{path}: ") in (told, told.removeprefix("peers: "))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["node.toml"], "nothing was made"


def test_a_database_that_is_not_upgraded_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("")
    assert refused(run("serve", "--config", str(path))).startswith(
        "data_dir does not exist; run `dicom-node db upgrade` once"
    )
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "node.sqlite"
    assert refused(run("serve", "--config", str(path))).startswith(
        "there is no database yet; run `dicom-node db upgrade`"
    )
    assert not database.exists()
    database.touch()
    told = "the database is not at this version's revision; run `dicom-node db upgrade` (found=none, wanted=0001)"
    for arguments in (["serve"], ["serve", "--role", "work"], ["jobs", "list"], ["harvest"]):
        assert refused(run(*arguments, "--config", str(path))) == told
    assert tables(tmp_path / "data") == []
    assert run("db", "upgrade", "--config", str(path)).stdout == "0001\n"
    assert run("jobs", "list", "--config", str(path)).exit_code == 0


def tables(data_dir: Path) -> list[str]:
    engine = create_engine(sqlite_url(data_dir))
    found = inspect(engine).get_table_names()
    engine.dispose()
    return found


def test_a_database_of_a_newer_version_is_left_as_it_is(site: Site, cli: Cli) -> None:
    with site.node.sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    told = (
        "the database is of a newer version of the node; install that one, or restore the backup"
        " (found=0099, newest_known=0001)"
    )
    assert refused(cli("serve")) == told
    assert refused(cli("db", "upgrade")) == told


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    path, port = tmp_path / "node.toml", unused_port()
    path.write_text(f'database_url = "postgresql+psycopg://node:secret@127.0.0.1:{port}/lesions"')
    (tmp_path / "data").mkdir()
    for arguments in (["serve"], ["db", "upgrade"], ["db", "current"]):
        line = refused(run(*arguments, "--config", str(path)))
        assert line.startswith("the database cannot be reached: ") and "secret" not in line
        assert line.endswith(f"(database=postgresql+psycopg://node:***@127.0.0.1:{port}/lesions)")


# --- peers --------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom leaves a refused socket
def test_peers_answer_echo_or_it_is_said_what_is_wrong(tmp_path: Path, database_url: str) -> None:
    with PacsStandIn("PACS", tmp_path / "pacs") as pacs:
        site = configure(tmp_path, database_url, pacs.port)
        answer = run("peers", "echo", "pacs", "--config", str(site.config_path))
        assert (answer.exit_code, answer.stdout) == (0, "answered C-ECHO with Success\n")
    line = refused(run("peers", "echo", "pacs", "--config", str(site.config_path)))
    assert line == f"the peer cannot be reached (peer=pacs, address=127.0.0.1:{pacs.port})"
    line = refused(run("peers", "echo", "ris", "--config", str(site.config_path)))
    assert line == "there is no such peer in node.toml (peer=ris, known=['pacs'])"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_check_says_that_no_model_is_promoted_and_which_peer_is_away(site: Site, cli: Cli) -> None:
    checked = cli("check")
    lines = checked.stdout.splitlines()
    assert "ok    database: at this version's revision" in lines
    assert "note  model: none is promoted: nothing is detected or sent; see `dicom-node models list`" in lines
    address = f"127.0.0.1:{site.config.peer('pacs').port}"
    assert f"FAIL  peer pacs: the peer cannot be reached (peer=pacs, address={address})" in lines
    assert (checked.exit_code, checked.stderr) == (1, "dicom-node: 1 of these must be mended\n")


# --- files --------------------------------------------------------------------------------------------------------


def save(ds: Dataset, path: Path) -> bytes:
    ds.save_as(path, enforce_file_format=True)
    return path.read_bytes()


def test_import_takes_what_is_whole_and_names_the_rest(site: Site, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    image = study(0).images[0]
    content = save(image, folder / "a.dcm")
    (folder / "b.dcm").write_bytes(content[:700])
    (folder / "c.dcm").write_bytes(b"not DICOM")
    (folder / "d.dcm").write_bytes(b"")
    taken = cli("import", str(folder))
    assert [line for line in taken.stderr.splitlines() if line.startswith(str(folder))] == [
        f"{folder}/b.dcm: the data set ends in the middle of an element",
        f"{folder}/c.dcm: is not a DICOM file",
        f"{folder}/d.dcm: is empty",
    ]
    assert (taken.exit_code, taken.stdout) == (0, "1 new, 0 known already, 3 not taken\n")
    assert cli("import", str(folder)).stdout == "0 new, 1 known already, 3 not taken\n"
    (kept,) = site.node.config.data_dir.glob("dicom/**/*.dcm")
    assert kept.read_bytes().endswith(content[-1000:])


def imported(site: Site, cli: Cli, folder: Path, objects: list[Dataset]) -> str:
    folder.mkdir()
    for number, ds in enumerate(objects):
        save(ds, folder / f"{number}.dcm")
    assert cli("import", str(folder)).stdout == f"{len(objects)} new, 0 known already, 0 not taken\n"
    uid = str(objects[0].StudyInstanceUID)
    settle_study(site.node.sessions, site.node.files, uid, utc_now(), site.node.site_key())
    return uid


def lesion_ids(cli: Cli) -> list[str]:
    shown = json.loads(cli("sql", "SELECT lesion_id FROM lesions ORDER BY 1", "--json").stdout)
    return [row["lesion_id"] for row in shown]


def test_harvesting_again_gives_the_same_lesions(site: Site, cli: Cli, tmp_path: Path) -> None:
    phantom = study(0)
    imported(site, cli, tmp_path / "in", [*phantom.images, *phantom.reports])
    marked = sum(lesion.marked for lesion in phantom.lesions)
    assert cli("harvest").stdout.startswith(f"1 studies: {marked} measurements, ")
    first = lesion_ids(cli)
    assert len(first) == marked > 0
    assert cli("harvest").stdout == "0 studies: 0 measurements, 0 rejections\n"
    assert cli("harvest", "--again").stdout.startswith(f"1 studies: {marked} measurements, ")
    assert lesion_ids(cli) == first


def test_a_report_whose_images_are_not_here_is_kept_and_says_so(site: Site, cli: Cli, tmp_path: Path) -> None:
    phantom = next(s for s in map(study, range(5)) if any(r.Modality == "SR" for r in s.reports))
    reports = [r for r in phantom.reports if r.Modality == "SR"]
    imported(site, cli, tmp_path / "in", reports)
    cli("harvest")
    with reading(site.node.sessions) as session:
        rows = session.scalars(select(LesionRow)).all()
    assert rows and not any(row.image_present for row in rows)
    assert {row.long_axis_mm for row in rows} == {None}
    shown = json.loads(cli("sql", "SELECT image_present, long_axis_mm FROM lesions", "--json").stdout)
    assert shown == [{"image_present": 0, "long_axis_mm": None}] * len(rows)


def test_sql_shows_rows_and_refuses_to_change_anything(cli: Cli) -> None:
    assert json.loads(cli("sql", "SELECT count(*) AS n FROM lesions", "--json").stdout) == [{"n": 0}]
    assert cli("sql", "SELECT count(*) AS n FROM lesions").stdout == "n\n0\n"
    assert refused(cli("sql", "DELETE FROM lesions")).startswith("the database refused: ")


# --- jobs, models, deliveries -------------------------------------------------------------------------------------


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
        assert session.scalars(select(Audit.action)).all() == ["retry"]


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


@pytest.mark.slow
def test_a_result_waits_for_a_pacs_that_is_away(site: Site, cli: Cli, tmp_path: Path) -> None:
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

    def pacs(*sop_classes: str) -> object:
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
        strict.shutdown()  # type: ignore[attr-defined]
        open_minded = pacs(str(report.SOPClassUID))
        assert cli("deliveries", "resend", uid).stdout == "1 deliveries wait to be sent\n"
        wait_for_work(site, 60)
        open_minded.shutdown()  # type: ignore[attr-defined]
    assert (delivery(site).state, delivery(site).last_answer, stored) == ("delivered", "Success", [uid])


@pytest.mark.slow
def test_without_a_promoted_model_nothing_is_detected_or_sent(site: Site, cli: Cli) -> None:
    phantom = study(0)
    keep(site, [deepcopy(ds) for ds in (*phantom.images, *phantom.reports)])
    with serving(site, "--role", "work"):
        wait_for_work(site, 60)
    assert analysis_state(site, phantom.study_instance_uid) == "not analysed: no model is promoted yet"
    assert json.loads(cli("deliveries", "list", "--json").stdout) == []
    assert len(lesion_ids(cli)) == sum(lesion.marked for lesion in phantom.lesions), "it is harvested all the same"


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
