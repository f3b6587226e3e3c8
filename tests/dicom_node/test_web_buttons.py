"""What each button does: its rows, its sentence, and what it refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from web_seed import CANDIDATE, DEAD, DELIVERED, HELD, IMAGE, LESION, PROMOTED, REPLACED, RETIRED, STUDY, WAITING

from db.engine import Sessions
from db.errors import PeerError
from db.local_files import LocalFiles
from db.models import Category, Instance, LesionRow, Study
from db.outcomes import Audit, Delivery, Model, Task
from dicom_node.web.app import create_app
from dicom_node.web.settings import Actions, Destination, WebSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TOKEN = "a-token-for-the-tests"


def echo(name: str) -> str:
    if name == "AWAY":
        raise PeerError("no association", ae_title="AWAY")
    return f"{name} answered C-ECHO with 0x0000."


@pytest.fixture
def client(seeded: Sessions, tmp_path: Path) -> Iterator[TestClient]:
    known = (Destination("READING <ROOM>", "READING", "10.0.0.7", 104), Destination("AWAY", "AWAY", "10.0.0.8", 104))
    settings = WebSettings(token=TOKEN, data_dir=tmp_path, destinations=known)
    app = create_app(settings, seeded, LocalFiles(tmp_path), Actions(echo), lambda: NOW)
    yield TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, follow_redirects=False)


def delivery(sessions: Sessions, result_sop_instance_uid: str) -> Delivery:
    with sessions() as session:
        return session.scalars(
            select(Delivery).where(Delivery.result_sop_instance_uid == result_sop_instance_uid)
        ).one()


def actions(sessions: Sessions) -> list[tuple[str, str]]:
    with sessions() as session:
        return [(row.actor, row.action) for row in session.scalars(select(Audit).order_by(Audit.audit_pk))]


def test_categorise_and_retrain_ask_the_worker_once(client: TestClient, sessions: Sessions) -> None:
    for kind in ("categorise", "train"):
        assert "begins when the worker is free" in client.post(f"/tasks/{kind}").text
        assert "already asked for" in client.post(f"/tasks/{kind}").text
        with sessions() as session:
            waiting = session.scalars(select(Task).where(Task.kind == kind, Task.state == "waiting")).all()
        assert [(task.asked_by, task.asked_at) for task in waiting] == [("web", NOW)]
    assert actions(sessions) == [("web", "categorise"), ("web", "train")]


def test_a_task_of_another_kind_cannot_be_asked_for(client: TestClient) -> None:
    assert client.post("/tasks/forget").status_code in (404, 405)


def test_release_lets_a_held_delivery_go_at_once(client: TestClient, sessions: Sessions) -> None:
    pk = delivery(sessions, HELD).delivery_pk
    assert client.post(f"/deliveries/{pk}/release").status_code == 200
    after = delivery(sessions, HELD)
    assert (after.state, after.next_try_at, after.tries) == ("waiting", NOW, 0)
    assert len(actions(sessions)) == 1


def test_resend_starts_the_tries_of_a_dead_letter_anew(client: TestClient, sessions: Sessions) -> None:
    pk = delivery(sessions, DEAD).delivery_pk
    assert client.post(f"/deliveries/{pk}/resend").status_code == 200
    after = delivery(sessions, DEAD)
    assert (after.state, after.next_try_at, after.tries) == ("waiting", NOW, 0)


def test_resend_sends_a_delivered_result_again(client: TestClient, sessions: Sessions) -> None:
    pk = delivery(sessions, DELIVERED).delivery_pk
    assert client.post(f"/deliveries/{pk}/resend").status_code == 200
    assert delivery(sessions, DELIVERED).state == "waiting"


def test_resend_need_not_wait_for_the_next_try_once_one_has_failed(client: TestClient, sessions: Sessions) -> None:
    pk = delivery(sessions, WAITING).delivery_pk
    address = f'action="/deliveries/{pk}/resend'
    assert address not in client.get("/deliveries").text
    with sessions.begin() as session:
        waiting = session.get_one(Delivery, pk)
        waiting.tries, waiting.next_try_at = 7, NOW + timedelta(hours=4)
    assert address in client.get("/deliveries").text
    assert client.post(f"/deliveries/{pk}/resend").status_code == 200
    after = delivery(sessions, WAITING)
    assert (after.state, after.next_try_at, after.tries) == ("waiting", NOW, 0)


@pytest.mark.parametrize(
    ("button", "result"),
    [("release", WAITING), ("release", DEAD), ("resend", HELD), ("resend", WAITING), ("discard", DELIVERED)],
)
def test_a_button_that_does_not_fit_the_state_changes_nothing(
    client: TestClient, sessions: Sessions, button: str, result: str
) -> None:
    before = delivery(sessions, result)
    answer = client.post(f"/deliveries/{before.delivery_pk}/{button}")
    assert answer.status_code == 409
    assert "cannot be changed" in answer.text
    assert delivery(sessions, result).state == before.state
    assert actions(sessions) == []


def test_a_result_that_was_replaced_is_not_sent(client: TestClient, sessions: Sessions) -> None:
    pk = delivery(sessions, REPLACED).delivery_pk
    assert "a newer result" in client.post(f"/deliveries/{pk}/release").text
    assert delivery(sessions, REPLACED).state == "held"
    assert client.post(f"/deliveries/{pk}/discard").status_code == 200
    assert delivery(sessions, REPLACED).state == "discarded"


@pytest.mark.parametrize("number", ["99999", "x", "-1", "9" * 30])
def test_a_delivery_that_does_not_exist_is_refused(client: TestClient, number: str) -> None:
    assert client.post(f"/deliveries/{number}/release").status_code == 409


def test_all_that_is_held_for_a_destination_is_released_but_what_was_replaced(
    client: TestClient, sessions: Sessions
) -> None:
    assert "3 deliveries to READING <ROOM>" in client.post("/destinations/READING%20%3CROOM%3E/release").text
    assert delivery(sessions, HELD).state == "waiting"
    assert delivery(sessions, REPLACED).state == "held"
    assert client.post("/destinations/READING%20%3CROOM%3E/release").status_code == 409


def test_all_that_was_given_up_for_a_destination_is_resent(client: TestClient, sessions: Sessions) -> None:
    assert client.post("/destinations/READING%20%3CROOM%3E/resend").status_code == 200
    assert (delivery(sessions, DEAD).state, delivery(sessions, DEAD).tries) == ("waiting", 0)


def test_promote_puts_one_model_in_the_place_of_the_other(client: TestClient, sessions: Sessions) -> None:
    assert client.post(f"/models/{CANDIDATE}/promote").status_code == 200
    with sessions() as session:
        assert session.get_one(Model, CANDIDATE).state == "promoted"
        assert session.get_one(Model, PROMOTED).state == "retired"
    assert client.post("/models/none/promote").status_code == 409


def test_rollback_puts_the_model_before_back(client: TestClient, sessions: Sessions) -> None:
    assert RETIRED in client.post("/models/rollback").text
    with sessions() as session:
        assert session.get_one(Model, RETIRED).state == "promoted"
        assert session.get_one(Model, PROMOTED).state == "candidate"
    assert client.post("/models/rollback").status_code == 409


def test_a_category_gets_the_name_that_a_person_gives(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.get_one(LesionRow, LESION).category_id = 1
    assert client.post("/categories/1/rename", data={"name": "  liver\tcyst "}).status_code == 200
    with sessions() as session:
        category = session.get_one(Category, 1)
        assert (category.name, category.named_by_person) == ("liver cyst", True)
        assert session.get_one(LesionRow, LESION).category == "liver cyst"


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
def test_a_category_without_a_usable_name_keeps_its_own(client: TestClient, sessions: Sessions, name: str) -> None:
    assert client.post("/categories/1/rename", data={"name": name}).status_code == 409
    with sessions() as session:
        assert session.get_one(Category, 1).named_by_person is False


def test_choosing_a_content_ends_the_conflict_and_settles_the_study_again(
    client: TestClient, sessions: Sessions
) -> None:
    with sessions() as session:
        rival = session.scalars(select(Instance.instance_pk).where(Instance.state == "conflict")).one()
    assert client.post(f"/instances/{rival}/choose").status_code == 200
    with sessions() as session:
        of_image = select(Instance.instance_pk, Instance.state).where(Instance.sop_instance_uid == IMAGE)
        states = dict(session.execute(of_image).all())
        assert states.pop(rival) == "current"
        assert set(states.values()) == {"superseded"}
        assert session.get_one(Study, STUDY).state == "receiving"
    assert client.post(f"/instances/{rival}/choose").status_code == 409


def test_a_study_given_up_is_tried_again_when_a_person_asks(client: TestClient, sessions: Sessions) -> None:
    assert client.post(f"/studies/{STUDY}/retry").status_code == 200
    with sessions() as session:
        assert session.get_one(Study, STUDY).next_try_at == NOW
    assert client.post("/studies/1.2.3.2/retry").status_code == 409


def test_the_test_button_asks_the_peer_says_what_it_answered_and_is_on_record(
    client: TestClient, sessions: Sessions
) -> None:
    answer = client.post("/destinations/READING%20%3CROOM%3E/test")
    with sessions() as session:
        assert [(row.at, row.action, row.target) for row in session.scalars(select(Audit))] == [
            (NOW, "test peer", "READING <ROOM>")
        ]
    assert answer.text == "READING <ROOM> answered C-ECHO with 0x0000.\n"
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_test_button_says_why_a_peer_did_not_answer(client: TestClient) -> None:
    answer = client.post("/destinations/AWAY/test")
    assert answer.status_code == 409
    assert "AWAY does not answer: no association" in answer.text
    assert client.post("/destinations/none/test").status_code == 409


def test_in_a_browser_the_sentence_is_shown_once_on_the_page_where_the_button_stood(
    client: TestClient, sessions: Sessions
) -> None:
    browser = TestClient(client.app, follow_redirects=False, headers={"Accept": "text/html"})
    browser.post("/login", data={"token": TOKEN})
    page = browser.get("/destinations/READING%20%3CROOM%3E").text
    form_token = page.split('name="form_token" value="')[1].split('"')[0]
    action = page.split('<form method="post" action="/destinations/')[1].split('"')[0]
    answer = browser.post(f"/destinations/{action}", data={"form_token": form_token})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/destinations/READING%20%3CROOM%3E"
    assert "READING &lt;ROOM&gt; answered C-ECHO" in browser.get(answer.headers["location"]).text
    assert "answered C-ECHO" not in browser.get(answer.headers["location"]).text


@pytest.mark.parametrize("back", ["//evil.example/x", "https://evil.example/x", "evil", "\\\\evil.example", ""])
def test_a_button_leads_back_to_this_host_alone(client: TestClient, back: str) -> None:
    browser = TestClient(client.app, follow_redirects=False, headers={"Accept": "text/html"})
    browser.post("/login", data={"token": TOKEN})
    form_token = browser.get("/").text.split('name="form_token" value="')[1].split('"')[0]
    answer = browser.post("/tasks/train", params={"back": back}, data={"form_token": form_token})
    location = answer.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "evil.example" not in location
