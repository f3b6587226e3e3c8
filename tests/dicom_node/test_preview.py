"""What would be sent for a study, for a person to look at: the very objects, and no trace of it in the node."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from command_line import Cli, cli_of, refused
from pydicom import dcmread
from sqlalchemy import func, select
from whole_way import Site, configure, keep, study

from db import analyses, registry, studies
from db.detection import Detection, Mask
from db.engine import reading, utc_now
from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from db.models import Study
from db.outcomes import Delivery, Result
from dicom_node.building import headers_of
from dicom_node.config import BUILT_PROFILES
from dicom_node.preview import preview
from dicom_node.reporting import report
from dicom_node.settle import settle_study

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
PHANTOM = study(0)
UID = PHANTOM.study_instance_uid


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    """A node with one study, settled; its peer takes SEG and SR."""
    made = configure(tmp_path, database_url, 104)
    keep(made, PHANTOM.images)
    assert settle_study(made.node.sessions, made.node.files, UID, utc_now(), made.node.site_key()) is not None
    with made.node.sessions.begin() as session:
        registry.keep_training_set(session, "set", [], None, NOW)
        registry.register(
            session, weights_sha256="a" * 64, weights_name="", training_set_id="set", label_generation=None, card={},
            froc={}, gate={}, git_commit="", now=NOW,
        )  # fmt: skip
    return made


@pytest.fixture
def cli(site: Site) -> Cli:
    return cli_of(site)


def analyse(site: Site, *, finds: bool = True) -> None:
    """What the detector's process would write."""
    with reading(site.node.sessions) as session:
        stored = studies.current_instances(session, UID)
        revision = session.get_one(Study, UID).revision
    images = headers_of([site.node.files.path(each.file_name) for each in stored if each.modality == "CT"])
    mask = Mask(5, 22, 18, np.ones((1, 10, 16), bool))
    site.node.files.write("masks/one.npz", analyses.mask_bytes(mask))
    axes = Axis(PointPx(20, 24), PointPx(32, 30)), Axis(PointPx(25, 30), PointPx(28, 24))
    key = ImageReference(str(images[5].SOPInstanceUID), 1)
    found = Detection("d1", key, BoxPx(17, 20, 35, 34), 5, 5, *axes, 14.0, 7.0, 0.9, "lesion", "2.25.77", mask)
    with site.node.sessions.begin() as session:
        analyses.save(
            session, study_instance_uid=UID, study_revision=revision, model_id="a" * 12,
            series_instance_uid=str(PHANTOM.images[0].SeriesInstanceUID),
            detections=[(found, True, "masks/one.npz")] if finds else [], started_at=NOW, now=NOW,
            images_sha256=studies.images_sha256(session, UID),
        )  # fmt: skip


def kept(site: Site) -> tuple[int, int, set[str]]:
    """What the node holds of results: rows of the ledger and the outbox, and files."""
    with reading(site.node.sessions) as session:
        rows = [session.scalar(select(func.count()).select_from(table)) or 0 for table in (Result, Delivery)]
    data_dir = site.node.config.data_dir
    return rows[0], rows[1], {str(path.relative_to(data_dir)) for path in data_dir.glob("**/*.dcm")}


def test_every_profile_is_written_and_the_node_is_as_it_was(site: Site, tmp_path: Path) -> None:
    analyse(site)
    before = kept(site)
    written = preview(site.node, UID, BUILT_PROFILES, tmp_path / "out")
    assert sorted(path.stem for path in written) == sorted(BUILT_PROFILES)
    assert kept(site) == before
    assert {dcmread(path).StudyInstanceUID for path in written} == {UID}


def test_what_is_sent_afterwards_is_what_was_shown(site: Site, tmp_path: Path) -> None:
    analyse(site)
    shown = {path.stem: path.read_bytes() for path in preview(site.node, UID, ("ohif", "seg"), tmp_path / "before")}
    report(site.node, UID, 1)
    with reading(site.node.sessions) as session:
        made = {row.profile: site.node.files.path(row.file_name) for row in session.scalars(select(Result))}
    assert {name: path.read_bytes() for name, path in made.items()} == shown
    again = preview(site.node, UID, ("ohif", "seg", "gsps"), tmp_path / "after")
    assert {path.stem: path.read_bytes() for path in again if path.stem != "gsps"} == shown


def test_a_profile_without_anything_to_say_is_named(site: Site, cli: Cli, tmp_path: Path) -> None:
    analyse(site, finds=False)
    told = cli("preview", UID, "--profile", "seg", "--profile", "ohif", "--to", str(tmp_path / "out"))
    assert told.stdout == f"{tmp_path / 'out' / 'ohif.dcm'}\n"
    assert told.stderr == "seg: has nothing to say of this study\n"


def test_without_an_analysis_there_is_nothing_to_show(site: Site, cli: Cli, tmp_path: Path) -> None:
    told = refused(cli("preview", UID, "--to", str(tmp_path / "out")))
    assert (
        told
        == f"the study as it is now was not analysed, so there is no result; see `dicom-node jobs list` (study={UID})"
    )
    assert refused(cli("preview", "1.2.3", "--to", str(tmp_path))) == "there is no such study here (study=1.2.3)"
    with site.node.sessions.begin() as session:
        analyses.save_without_detections(
            session, "a1", UID, 1, state="not analysed", reason="no model is promoted yet", now=NOW
        )
    told = refused(cli("preview", UID, "--to", str(tmp_path / "out")))
    assert told == f"the study was not analysed: no model is promoted yet (study={UID})"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(site: Site, cli: Cli, tmp_path: Path) -> None:
    analyse(site, finds=False)
    (tmp_path / "file").touch()
    told = refused(cli("preview", UID, "--profile", "ohif", "--to", str(tmp_path / "file" / "out")))
    assert told == f"this cannot be written: Not a directory (path={tmp_path / 'file' / 'out'})"


def test_a_profile_that_is_none_is_refused_with_those_that_are(cli: Cli, tmp_path: Path) -> None:
    refusal = cli("preview", UID, "--profile", "pdf", "--to", str(tmp_path))
    assert refusal.exit_code == 2
    assert "'ohif'" in refusal.stderr
