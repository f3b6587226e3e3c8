"""What the pages say: everything that happened, with its reason, and no markup that came by network."""

import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from broken_pixels import jpeg_without_its_tables
from found_study import FOUND_STUDY
from PIL import Image as Picture
from sqlalchemy import delete, update
from starlette.testclient import TestClient
from web_seed import (
    DETECTION,
    IMAGE,
    LESION,
    MARKUP,
    OTHER_LESION,
    STUDY,
    seed,
)
from web_seed_found import seed_found

from db.engine import Sessions, open_sessions
from db.local_files import LocalFiles
from db.models import Instance, LesionRow, Study
from db.outcomes import DetectionRow
from dicom_node.heartbeat import beat
from dicom_node.web.app import create_app
from dicom_node.web.settings import Actions, Destination, WebSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TOKEN = "a-token-for-the-tests"
PAGES = (
    "/",
    "/running",
    "/studies",
    "/studies?show=conflict",
    "/studies?show=failed",
    "/studies?show=incomplete",
    f"/studies/{STUDY}",
    f"/studies/{FOUND_STUDY}",
    "/studies?show=stale",
    "/release",
    "/lesions",
    f"/drawings/lesion/{LESION}",
    f"/drawings/detection/{DETECTION}",
    "/deliveries",
    "/deliveries?state=held",
    "/deliveries?state=committed",
    "/destinations/READING%20%3CROOM%3E",
    "/destinations/READING%20%3CROOM%3E?state=held",
    "/destinations/ARCHIVE",
    "/refusals",
    "/rejections?reason=reader_failed",
)


ROOM = Destination("READING <ROOM>", "READING", "10.0.0.7", 104, profiles=("ohif",))


def client_of(
    sessions: Sessions, data_dir: Path, least_bytes: int = 0, destinations: tuple[Destination, ...] = (ROOM,)
) -> TestClient:
    settings = WebSettings(
        token=TOKEN,
        ae_title="LESION_NODE",
        destinations=destinations,
        data_dir=data_dir,
        min_free_bytes=least_bytes,
    )
    app = create_app(
        settings, sessions, LocalFiles(data_dir), Actions(echo=lambda name: f"{name} answers"), lambda: NOW
    )
    return TestClient(app, headers={"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"})


@pytest.fixture
def empty(sessions: Sessions, tmp_path: Path) -> TestClient:
    return client_of(sessions, tmp_path, destinations=())


@pytest.fixture
def client(seeded: Sessions, tmp_path: Path) -> TestClient:
    return client_of(seeded, tmp_path)


@pytest.mark.parametrize("address", PAGES)
def test_every_page_answers_and_shows_names_as_text(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert MARKUP not in answer.text
    assert "<ROOM>" not in answer.text
    assert "<b>cyst" not in answer.text


def test_the_overview_shows_a_name_with_markup_escaped(client: TestClient) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in client.get("/").text


def test_a_node_whose_roles_beat_says_that_nothing_has_failed(empty: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        for role in ("receive", "work"):
            beat(session, role, role, NOW)
    text = empty.get("/").text
    assert "Nothing waits for a person, and nothing has failed." in text
    assert "process runs" not in text


def test_an_empty_node_says_in_each_section_what_to_do_next(empty: TestClient) -> None:
    text = empty.get("/").text
    for sentence in (
        "No receive process runs: nothing can be sent to this node.",
        "No work process runs: nothing is harvested, analysed or delivered.",
        "Name your PACS under [[peers]]",
        "press <b>categorise</b>, then <b>retrain</b>",
        "No measurement was harvested yet",
        "There are no categories yet",
        "No model was trained yet",
        "begins in mode hold",
        "Nothing was refused",
        "Nothing was rejected",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    "sentence",
    [
        "1 study holds one image with two contents",
        "1 study is smaller here than at the sender",
        "The analysis of 1 study failed",
        "A reader failed on 1 object",
        "4 deliveries are held until a person releases them",
        "1 delivery was given up",
        "The oldest waiting delivery waits since 2026-11-24 05:00 UTC",
        "The last run of train failed",
        "The work process worker-1 has been silent since 2026-11-24 07:51 UTC",
        "1 trained model is newer than the promoted one",
        "ARCHIVE takes no results since 2026-11-24 03:00 UTC; it is tried now and then.",
        "The answer to 1 request for storage commitment was not taken by the peer that asked.",
    ],
)
def test_the_overview_says_what_waits_for_a_person_or_failed(client: TestClient, sentence: str) -> None:
    assert sentence in client.get("/").text


def test_the_overview_says_that_the_disk_is_too_full_to_receive(sessions: Sessions, tmp_path: Path) -> None:
    text = client_of(sessions, tmp_path, least_bytes=10**18).get("/").text
    assert "what is sent to this node is refused" in text


def test_the_overview_counts_refusals_and_rejections_by_reason(client: TestClient) -> None:
    text = client.get("/").text
    assert "unknown_ae · 1" in text
    assert "no_spatial_coordinates · 2" in text


def test_a_study_given_up_is_found_and_offers_a_retry(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.get_one(Study, STUDY).next_try_at = None
    assert STUDY in client.get("/studies?show=given up").text
    text = client.get(f"/studies/{STUDY}").text
    assert "the detector ran out of memory" in text
    assert f"/studies/{STUDY}/retry" in text


def test_a_failure_that_is_over_is_not_shown_any_more(client: TestClient, sessions: Sessions) -> None:
    assert "5 failed" in client.get("/studies").text
    with sessions.begin() as session:
        session.get_one(Study, STUDY).analysed_revision = 2
        session.execute(delete(Instance).where(Instance.state == "conflict"))
    assert "5 failed" not in client.get("/studies").text
    assert "/retry" not in client.get(f"/studies/{STUDY}").text


def test_detections_below_the_threshold_are_folded_away_and_counted(client: TestClient, sessions: Sessions) -> None:
    assert "<details>" not in client.get(f"/studies/{STUDY}").text
    with sessions.begin() as session:
        session.get_one(DetectionRow, DETECTION).reported = False
    text = client.get(f"/studies/{STUDY}").text
    assert "1 below the threshold" in text
    assert text.index("<details>") < text.index(f"/drawings/detection/{DETECTION}")


def test_running_work_shows_its_step_and_how_far_it_is(client: TestClient) -> None:
    text = client.get("/running").text
    assert 'max="8" value="3"' in text
    assert "cluster" in text


def test_a_page_of_what_does_not_exist_is_not_found(client: TestClient) -> None:
    for address in ("/studies/9.9", "/drawings/lesion/none", "/drawings/other/none", "/destinations/none"):
        assert client.get(address).status_code == 404


def test_what_was_only_pointed_at_is_listed_and_leads_to_no_drawing(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        places = dict.fromkeys(("long_x1", "long_y1", "long_x2", "long_y2", "long_axis_px", "long_axis_mm"))
        session.execute(update(LesionRow).where(LesionRow.lesion_id == OTHER_LESION).values(**places))
    text = client.get("/lesions").text
    assert f"<code>{OTHER_LESION[:8]}</code>" in text
    assert f"/drawings/lesion/{LESION}" in text and f"/drawings/lesion/{OTHER_LESION}" not in text
    assert client.get(f"/drawings/lesion/{OTHER_LESION}").status_code == 404


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "%00"])
def test_a_page_number_that_is_none_is_the_first_page(client: TestClient, page: str) -> None:
    assert STUDY in client.get(f"/studies?page={page}").text


def test_a_long_listing_comes_in_pages_of_a_hundred(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        for number in range(150):
            session.add(Study(study_instance_uid=f"1.5.{number}", received_first_at=NOW, received_last_at=NOW))
    first, second = client.get("/studies").text, client.get("/studies?page=2").text
    assert first.count("/studies/1.") == 100
    assert second.count("/studies/1.") == 54
    assert "154 in all, page 1 of 2" in first


def test_the_number_of_queries_does_not_grow_with_the_rows(client: TestClient, sessions: Sessions) -> None:
    from sqlalchemy import event

    statements: list[str] = []
    engine = sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    client.get("/")
    few = len(statements)
    with sessions.begin() as session:
        for number in range(90):
            session.add(Study(study_instance_uid=f"1.5.{number}", received_first_at=NOW, received_last_at=NOW))
    statements.clear()
    client.get("/")
    assert len(statements) == few


def test_the_picture_of_a_lesion_is_the_crop_that_its_overlay_names(client: TestClient) -> None:
    answer = client.get(f"/pictures/lesion/{LESION}.png")
    assert answer.headers["content-type"] == "image/png"
    grey = np.asarray(Picture.open(BytesIO(answer.content)))
    # The box is 49 px of 0.75 mm wide: 36.75 mm, of which 2.2 times are 80.85 mm: 108 columns and 65 rows, moved into
    # the image: columns from 26, rows from 8.
    assert grey.shape == (65, 108)
    assert 'viewBox="26 8 108 65"' in client.get("/lesions").text
    assert grey[30 - 8, 60 - 26] > grey[29 - 8, 60 - 26] == grey[30 - 8, 59 - 26]
    assert grey[49 - 8, 99 - 26] > grey[50 - 8, 99 - 26] == grey[49 - 8, 100 - 26]


def test_the_overlay_is_drawn_at_pixel_centres_and_in_the_shape_of_the_patient(client: TestClient) -> None:
    text = client.get("/lesions").text
    assert 'x1="60.5" y1="40.5" x2="99.5" y2="40.5"' in text
    assert 'x="55.5" y="26.5" width="49.0" height="28.0"' in text
    assert 'width="112.0" height="112.3"' in text  # 108 · 0.75 mm wide and 65 · 1.25 mm high


def test_the_whole_image_is_shown_on_the_page_of_one_drawing(client: TestClient) -> None:
    grey = np.asarray(Picture.open(BytesIO(client.get(f"/pictures/detection/{DETECTION}.png?whole").content)))
    assert grey.shape == (90, 140)
    assert 'viewBox="0 0 140 90"' in client.get(f"/drawings/detection/{DETECTION}").text


def test_a_picture_whose_file_is_gone_is_an_answer_and_no_crash(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "dicom" / "ct.dcm").unlink()
    answer = client.get(f"/pictures/lesion/{OTHER_LESION}.png")
    assert answer.status_code == 404
    assert IMAGE in answer.text


def test_a_picture_that_no_decoder_survives_is_an_answer_and_no_crash(
    client: TestClient, seeded: Sessions, tmp_path: Path
) -> None:
    broken = jpeg_without_its_tables()
    broken.save_as(tmp_path / "dicom" / "ct.dcm", overwrite=True, enforce_file_format=True)
    with seeded.begin() as session:
        session.execute(update(Instance).values(transfer_syntax_uid=broken.file_meta.TransferSyntaxUID))
    answer = client.get(f"/pictures/lesion/{LESION}.png")
    assert (answer.status_code, "cannot be decoded" in answer.text) == (422, True)
    assert client.get("/healthz").status_code == 200


@pytest.mark.slow
def test_every_page_answers_the_same_on_postgresql(postgres_url: str, seeded: Sessions, tmp_path: Path) -> None:
    other = open_sessions(postgres_url)
    with other.begin() as session:
        seed(session, tmp_path, NOW)
        seed_found(session, tmp_path, NOW)
    clients = [client_of(sessions, tmp_path) for sessions in (seeded, other)]
    for address in PAGES:
        sqlite, postgresql = [re.sub(r"[\d.]+ GB free", "", client.get(address).text) for client in clients]
        assert sqlite == postgresql, address
    figures = [set(client.get("/metrics").text.splitlines()) for client in clients]
    assert {line.split()[0] for line in figures[0] ^ figures[1]} <= {"lesion_node_disk_free_bytes"}
    other.kw["bind"].dispose()
