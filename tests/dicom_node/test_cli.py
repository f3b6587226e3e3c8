"""The command line: what a person reads where something is wrong, and what stays intact."""

import json
from pathlib import Path

import pytest
from command_line import Cli, cli_of, lonely_site, refused, run, save, unused_port
from pydicom import Dataset
from sqlalchemy import create_engine, inspect, select, text
from whole_way import Site, configure, study

from db.engine import reading, sqlite_url, utc_now
from db.models import LesionRow
from dicom_node import logs
from dicom_node.database import newest_revision
from dicom_node.pacs_stand_in import PacsStandIn
from dicom_node.settle import settle_study

NEWEST = newest_revision()


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


# --- a new node ---------------------------------------------------------------------------------------------------


def test_init_makes_a_node_that_needs_nothing_more(tmp_path: Path) -> None:
    made = run("init", "--dir", str(tmp_path / "site"))
    path = tmp_path / "site" / "node.toml"
    assert made.exit_code == 0 and made.stdout.startswith(f"{path}: name your PACS under [[peers]]")
    assert path.stat().st_mode & 0o777 == 0o600, "it holds the page's token"
    assert run("db", "current", "--config", str(path)).stdout == f"{NEWEST} (newest: {NEWEST})\n"
    listed = run("jobs", "list", "--config", str(path))
    assert (listed.stdout, listed.stderr) == ("", "none\n")
    assert run("jobs", "list", "--json", "--config", str(path)).stdout == "[]\n"


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
         "settle, harvest, report, schedule, web, retention"),
        ("[dicom]\nport = 70000", "dicom.port = 70000: Input should be less than or equal to 65535"),
        ('[[peers]]\nname = "a"\nae_title = "A"\nmode = "sned"', "peers.1.mode = \"sned\": Input should be 'hold', "
         "'send' or 'shadow'"),
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
    told = f"the database is not at this version's revision; run `dicom-node db upgrade` (found=none, wanted={NEWEST})"
    for arguments in (["serve"], ["serve", "--role", "work"], ["jobs", "list"], ["harvest"]):
        assert refused(run(*arguments, "--config", str(path))) == told
    assert tables(tmp_path / "data") == []
    assert run("db", "upgrade", "--config", str(path)).stdout == f"{NEWEST}\n"
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
        f" (found=0099, newest_known={NEWEST})"
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
    with site.node.sessions.begin() as session:  # as if an older version had read these headers
        session.execute(text("UPDATE image SET row_spacing_mm = NULL, purpose = 'localizer'"))
    assert cli("harvest", "--again").stdout.startswith(f"1 studies: {marked} measurements, ")
    assert lesion_ids(cli) == first
    truth = "SELECT count(*) AS n FROM lesions WHERE excluded_because IS NULL AND long_axis_mm IS NOT NULL"
    assert json.loads(cli("sql", truth, "--json").stdout) == [{"n": marked}]


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
