"""The pages on which a person judges findings and lets results go."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from found_study import ANALYSIS, FOUND_REPORT, FOUND_SERIES, FOUND_STUDY, LIKELY, SLICES, SURE, UNSURE
from sqlalchemy import event, select, update
from starlette.testclient import TestClient
from web_seed import HELD, MARKUP, REPLACED, STUDY

from db import findings
from db.engine import Sessions
from db.local_files import LocalFiles
from db.models import Image
from db.outcomes import Analysis, Assessment, Audit, Delivery, DetectionRow, Result
from dicom_node.web.app import create_app
from dicom_node.web.settings import Actions, Destination, WebSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TOKEN = "a-token-for-the-tests"
PAGE = f"/studies/{FOUND_STUDY}"
ROOM = Destination(
    "READING <ROOM>", "READING", "10.0.0.7", 104, viewer_url="https://room.example/{study}?series={series}&p={patient}"
)
ARCHIVE = Destination("ARCHIVE", "ARCHIVE", "10.0.0.8", 104, viewer_url="weasis://{instance}")


@pytest.fixture
def client(seeded: Sessions, tmp_path: Path) -> Iterator[TestClient]:
    settings = WebSettings(token=TOKEN, data_dir=tmp_path, destinations=(ROOM, ARCHIVE))
    app = create_app(settings, seeded, LocalFiles(tmp_path), Actions(echo=lambda name: name), lambda: NOW)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    yield TestClient(app, headers=headers, follow_redirects=False)


@pytest.fixture
def browser(client: TestClient) -> TestClient:
    """The same pages with a session instead of the token."""
    browser = TestClient(client.app, follow_redirects=False, headers={"Accept": "text/html"})
    browser.post("/login", data={"token": TOKEN})
    return browser


def cards(client: TestClient) -> list[str]:
    """What stands in the box of each finding, in its order."""
    return re.findall(r"<fieldset.*?</fieldset>", client.get(PAGE).text, re.DOTALL)


def states(sessions: Sessions) -> set[str]:
    with sessions() as session:
        query = select(Delivery.state).join(Result).where(Result.analysis_id == ANALYSIS)
        return set(session.scalars(query.where(Delivery.destination == ROOM.name)))


# --- what is shown ----------------------------------------------------------------------------------------------


def test_a_finding_is_shown_with_its_picture_size_change_and_what_was_said(client: TestClient) -> None:
    sure, likely = cards(client)
    assert f'href="/pictures/detection/{SURE}.png"' in sure
    for shown in ("score 0.91", "29.2 × 22.5 mm", "+50 % since 2025-11-02 (19.5 mm)", "modified", "moved by 3.2 px"):
        assert shown in sure
    assert "score 0.62" in likely and "since" not in likely and "modified" not in likely
    text = client.get(PAGE).text
    assert "Readers added 1 lesion that was not found." in text
    assert "1 below the threshold, which were not reported" in text
    assert text.index("<details>") < text.index(f"/pictures/detection/{UNSURE}.png")


def test_a_finding_that_has_shrunk_says_so_with_a_minus(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.get_one(DetectionRow, SURE).prior_long_axis_mm = 39.0
    assert "\u221225 % since 2025-11-02" in cards(client)[0]


def test_a_finding_opens_in_every_viewer_that_can_be_told_of_it(client: TestClient) -> None:
    sure, _ = cards(client)
    patient = "%3Cscript%3Ealert%281%29%3C%2Fscript%3E"
    links = re.findall(r'<a class="viewer" href="([^"]+)" target="_blank" rel="noopener noreferrer">([^<]+)</a>', sure)
    assert [(unescape(address), unescape(words)) for address, words in links] == [
        (f"https://room.example/{FOUND_STUDY}?series={FOUND_SERIES}&p={patient}", "open in READING <ROOM>"),
        (f"weasis://{SLICES[1]}", "open in ARCHIVE"),
    ]
    before_the_findings = client.get(PAGE).text.split('id="findings"')[0]
    assert "open the study in READING" in before_the_findings
    assert "open the study in ARCHIVE" not in before_the_findings, "its template asks for one image"


def test_findings_are_said_beside_what_people_marked(client: TestClient) -> None:
    assert (
        "Beside the 2 lesions that people marked in this study: 1 of 2 findings on a marked lesion, 1 on none, "
        "1 marked lesion missed."
    ) in client.get(PAGE).text
    assert "Beside the" not in client.get(f"/studies/{STUDY}").text, "a failed analysis says nothing"


def test_a_finding_without_its_image_is_shown_without_a_picture(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(Image).where(Image.sop_instance_uid == SLICES[1]).values(sop_instance_uid="1.9"))
    sure, likely = cards(client)
    assert "The image is not stored here." in sure and "score 0.62" in likely


def test_what_is_held_is_offered_with_every_standing_finding_ticked(client: TestClient, sessions: Sessions) -> None:
    client.post(f"/findings/{LIKELY}/reject")
    sure, likely = cards(client)
    assert re.search(rf'name="keep:{SURE}" value="yes" checked>', sure)
    assert re.search(rf'name="keep:{LIKELY}" value="yes">', likely)
    assert "restore finding 2" in likely and "reject finding 2" not in likely and "Taken out of the results" in likely
    assert "reject finding 1" in sure and "accept finding 1" in sure and "restore" not in sure
    with sessions.begin() as session:
        session.execute(update(Delivery).where(Delivery.state == "held").values(state="delivered"))
    text = client.get(PAGE).text
    assert "keep:" not in text and "release what is ticked" not in text
    assert "reject finding 1" in text, "after delivery a finding can be judged, too"


def test_enter_in_the_form_presses_nothing(client: TestClient) -> None:
    form = re.search(r'<form method="post" action="/analyses/.*?</form>', client.get(PAGE).text, re.DOTALL)
    assert form is not None
    assert re.findall(r"<button[^>]*>", form[0])[0] == '<button type="submit" disabled hidden>'


# --- what is done -----------------------------------------------------------------------------------------------


def test_a_person_rejects_restores_and_accepts_by_name(client: TestClient, sessions: Sessions) -> None:
    for button, name in (("reject", "  Dr\tA "), ("restore", "x" * 99), ("accept", "")):
        assert client.post(f"/findings/{SURE}/{button}", data={"reader": name}).status_code == 200
    with sessions() as session:
        said = findings.answers(session, [SURE])[SURE][1:]
        assert [(one.verdict, one.reader) for one in said] == [
            ("rejected", "Dr A (web)"),
            ("accepted", f"{'x' * 64} (web)"),
            ("accepted", ""),
        ], "who gives no name is no reader, and teaches nothing"
        actors = session.scalars(select(Audit.actor).order_by(Audit.audit_pk)).all()
        assert actors == ["Dr A (web)", f"{'x' * 64} (web)", "web"]
        assert session.get_one(Analysis, ANALYSIS).edition == 2


@pytest.mark.parametrize(
    ("address", "because"),
    [
        (f"/findings/{SURE}/restore", "this finding was not rejected here"),
        (f"/findings/{UNSURE}/reject", "below the operating point"),
        ("/findings/none/accept", "there is no such finding"),
        ("/analyses/none/release", "there is no such analysis"),
        ("/analyses/none/reject", "there is no such analysis"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    client: TestClient, sessions: Sessions, address: str, because: str
) -> None:
    answer = client.post(address)
    assert (answer.status_code, because in answer.text) == (409, True)
    with sessions() as session:
        assert session.scalars(select(Audit)).all() == []


def test_what_is_ticked_is_released_and_the_rest_rejected(client: TestClient, sessions: Sessions) -> None:
    address = f"/analyses/{ANALYSIS}/release"
    refused = client.post(address, data={"ticks": "yes", "edition": "0"})
    assert (refused.status_code, "nothing is ticked" in refused.text) == (409, True)
    said = client.post(address, data={"ticks": "yes", "edition": "0", f"keep:{SURE}": "yes", "reader": "Dr A"}).text
    assert said == "The results are made anew with what is left and go to READING <ROOM>.\n"
    assert states(sessions) == {"held"}
    with sessions() as session:
        assert session.get_one(DetectionRow, LIKELY).discarded_by == "Dr A (web)"
        assert findings.released(session, ANALYSIS, ROOM.name)
    text = unescape(client.get(PAGE).text)
    assert "The results are being made anew, and go to READING <ROOM> then" in text
    assert "release what is ticked" not in text


def test_with_every_finding_ticked_the_results_go_at_once(client: TestClient, sessions: Sessions) -> None:
    ticks = {"ticks": "yes", "edition": "0", f"keep:{SURE}": "yes", f"keep:{LIKELY}": "yes"}
    assert "begins at once" in client.post(f"/analyses/{ANALYSIS}/release", data=ticks).text
    assert states(sessions) == {"waiting"}
    assert client.post(f"/analyses/{ANALYSIS}/release", data=ticks).status_code == 409


def test_a_result_of_no_findings_is_released_without_ticks(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(DetectionRow).where(DetectionRow.analysis_id == ANALYSIS).values(reported=False))
    text = client.get(PAGE).text
    assert 'name="ticks"' not in text and '<button class="main">release</button>' in text
    assert client.post(f"/analyses/{ANALYSIS}/release").status_code == 200
    assert states(sessions) == {"waiting"}


def test_discard_all_rejects_every_finding_and_sends_nothing(client: TestClient, sessions: Sessions) -> None:
    assert f"/analyses/{ANALYSIS}/reject?back=" in client.get(PAGE).text
    assert "All findings are rejected" in client.post(f"/analyses/{ANALYSIS}/reject").text
    assert states(sessions) == {"discarded"}
    text = client.get(PAGE).text
    assert "discard all" not in text and text.count("Taken out of the results") == 2


def test_a_browser_comes_back_to_the_findings_and_keeps_the_name(browser: TestClient) -> None:
    page = browser.get(PAGE).text
    form_token = page.split('name="form_token" value="')[1].split('"')[0]
    address = re.search(r'formaction="([^"]*/reject[^"]*)" aria-label="reject finding 1"', page)
    assert address is not None
    name = 'Dr "Ä" <b>'
    answer = browser.post(unescape(address[1]), data={"form_token": form_token, "reader": name})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#findings")
    page = browser.get(PAGE).text
    assert "The finding is rejected; the results are made anew without it." in page
    assert 'name="reader" value="Dr &#34;Ä&#34; &lt;b&gt;"' in page
    browser.post("/logout", data={"form_token": form_token})
    browser.post("/login", data={"token": TOKEN})
    assert 'name="reader" value=""' in browser.get(PAGE).text


def test_a_result_that_is_being_made_anew_is_not_released_by_its_own_button(
    client: TestClient, sessions: Sessions
) -> None:
    client.post(f"/findings/{SURE}/reject")
    with sessions() as session:
        query = select(Delivery.delivery_pk).where(Delivery.result_sop_instance_uid == FOUND_REPORT)
        pk = session.scalars(query.where(Delivery.destination == ROOM.name)).one()
    answer = client.post(f"/deliveries/{pk}/release")
    assert (answer.status_code, "its findings were changed by a person" in answer.text) == (409, True)
    client.post("/destinations/READING%20%3CROOM%3E/release")
    assert states(sessions) == {"held"}


def test_results_that_could_not_be_made_anew_are_tried_again_when_a_person_asks(
    client: TestClient, sessions: Sessions
) -> None:
    address = f"/analyses/{ANALYSIS}/retry"
    client.post(f"/findings/{SURE}/reject")
    assert client.post(address).status_code == 409
    assert address not in client.get(PAGE).text
    with sessions.begin() as session:
        session.get_one(Analysis, ANALYSIS).issue_attempts = 5
    assert "The results could not be made anew in 5 tries" in client.get(PAGE).text
    assert FOUND_STUDY in client.get("/studies?show=stale").text
    assert "The results of 1 study could not be made anew" in client.get("/").text
    assert f'action="{address}?back=' in client.get(PAGE).text
    assert client.post(address).status_code == 200
    with sessions() as session:
        assert session.get_one(Analysis, ANALYSIS).next_issue_at == NOW
    assert "could not be made anew" not in client.get("/").text


# --- what waits -------------------------------------------------------------------------------------------------


def studies_to_release(client: TestClient) -> list[str]:
    return re.findall(r'<article class="held">.*?href="/studies/([^"#]+)#findings"', client.get("/release").text, re.S)


def test_what_waits_for_a_person_is_listed_the_oldest_first(client: TestClient, sessions: Sessions) -> None:
    assert studies_to_release(client) == [FOUND_STUDY, STUDY]
    with sessions.begin() as session:
        session.execute(
            update(Delivery).where(Delivery.result_sop_instance_uid == HELD).values(created_at=NOW - timedelta(days=9))
        )
    assert studies_to_release(client) == [STUDY, FOUND_STUDY]
    text = client.get("/release").text
    assert f"/pictures/detection/{SURE}.png" in text and "2 findings" in text and "1 finding<" in text
    assert f"/pictures/detection/{UNSURE}.png" not in text


def test_what_was_replaced_or_is_being_made_anew_does_not_wait(client: TestClient, sessions: Sessions) -> None:
    client.post(f"/findings/{SURE}/reject")
    with sessions.begin() as session:
        held = session.scalars(select(Delivery).where(Delivery.result_sop_instance_uid == HELD)).one()
        held.state = "discarded"
        assert session.get_one(Result, REPLACED).superseded_by
    text = client.get("/release").text
    assert studies_to_release(client) == []
    assert "Nothing waits for a person." in text


def test_the_number_of_queries_does_not_grow_with_what_waits(client: TestClient, sessions: Sessions) -> None:
    statements: list[str] = []
    event.listen(sessions.kw["bind"], "before_cursor_execute", lambda *given: statements.append(given[2]))
    client.get("/release")
    two = len(statements)
    with sessions.begin() as session:
        session.execute(update(Delivery).where(Delivery.result_sop_instance_uid == HELD).values(state="dead"))
    statements.clear()
    client.get("/release")
    assert studies_to_release(client) == [FOUND_STUDY]
    assert len(statements) // 2 == two  # the page was asked for twice


# --- what people say, and what was marked -----------------------------------------------------------------------


def test_the_overview_shows_how_often_people_disagree_as_numbers_and_as_a_bar(
    client: TestClient, sessions: Sessions
) -> None:
    client.post(f"/findings/{LIKELY}/accept")
    text = client.get("/").text
    section = text.split('id="answers"')[1].split("</section>")[0]
    assert 'aria-label="1 accepted, 1 modified, 0 rejected"' in section
    assert '<rect class="modified" x="80.0" y="0" height="12" width="80.0"/>' in section
    assert ">50 %<" in section and "liver &lt;b&gt;cyst&lt;/b&gt;" in section
    assert "findings on a marked lesion" in section
    with sessions.begin() as session:
        session.query(Assessment).delete()
    assert "Nobody has answered yet." in client.get("/").text


def test_the_reader_of_an_answer_is_text(client: TestClient) -> None:
    assert MARKUP not in client.get(PAGE).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, <time" in cards(client)[0]
