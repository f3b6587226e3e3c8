"""Who may see the pages."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import unused_port
from sqlalchemy import select
from starlette.testclient import TestClient
from test_web_pages import PAGES
from web_seed import STUDY

from db.engine import Sessions, open_sessions
from db.local_files import LocalFiles
from db.outcomes import Task
from dicom_node.web import access
from dicom_node.web.app import create_app
from dicom_node.web.guard import COOKIE
from dicom_node.web.settings import Actions, WebSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TOKEN = "a-token-for-the-tests"
HTML = {"Accept": "text/html"}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_client(
    sessions: Sessions, data_dir: Path, clock: Clock, token: str = TOKEN, proxy: bool = False
) -> TestClient:
    settings = WebSettings(token=token, data_dir=data_dir, behind_proxy=proxy)
    app = create_app(settings, sessions, LocalFiles(data_dir), Actions(echo=lambda name: name), clock)
    return TestClient(app, base_url="https://node" if proxy else "http://node", follow_redirects=False)


@pytest.fixture
def client(sessions: Sessions, tmp_path: Path, clock: Clock) -> TestClient:
    return make_client(sessions, tmp_path, clock)


def log_in(client: TestClient) -> str:
    """The form token of a new session."""
    assert client.post("/login", data={"token": TOKEN}).headers["location"] == "/"
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', client.get("/", headers=HTML).text)
    assert found is not None
    return found.group(1)


def test_health_is_told_to_everybody(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def without_database(tmp_path: Path, clock: Clock) -> TestClient:
    """A page whose database does not answer."""
    url = f"postgresql+psycopg://node:secret@127.0.0.1:{unused_port()}/lesions"
    return make_client(open_sessions(url), tmp_path, clock)


def test_a_database_that_is_away_is_told_to_everybody_by_health(tmp_path: Path, clock: Clock) -> None:
    answer = without_database(tmp_path, clock).get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "the database does not answer"}


@pytest.mark.parametrize("address", [*PAGES, "/metrics"])
def test_without_the_database_every_page_says_so(tmp_path: Path, clock: Clock, address: str) -> None:
    client = without_database(tmp_path, clock)
    for accept in (HTML, {"Accept": "text/plain"}):
        answer = client.get(address, headers={"Authorization": f"Bearer {TOKEN}", **accept})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"
        assert "The database does not answer." in answer.text and "secret" not in answer.text
        assert ("<html" in answer.text) == (accept == HTML)


@pytest.mark.parametrize("address", [*PAGES, "/metrics", "/static/style.css", "/pictures/lesion/x.png", "/nothing"])
def test_everything_else_needs_the_token(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert STUDY not in answer.text


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
def test_a_wrong_token_is_refused(client: TestClient, given: str) -> None:
    assert client.get("/metrics", headers={"Authorization": given}).status_code == 401


def test_the_token_in_the_address_opens_nothing(client: TestClient) -> None:
    assert client.get(f"/?token={TOKEN}").status_code == 401


def test_the_right_token_opens(client: TestClient) -> None:
    assert client.get("/metrics", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_without_a_token_in_the_settings_nothing_opens(sessions: Sessions, tmp_path: Path, clock: Clock) -> None:
    client = make_client(sessions, tmp_path, clock, token="")
    assert client.get("/", headers={"Authorization": "Bearer "}).status_code == 401
    assert client.post("/login", data={"token": ""}).status_code == 401
    cookie = access.issue_session("", NOW, "00")
    assert client.get("/", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == 401
    assert "No token is set" in client.get("/", headers=HTML).text
    assert client.get("/healthz").status_code == 200


def test_a_browser_gets_the_form_that_asks_for_the_token(client: TestClient) -> None:
    answer = client.get("/studies", headers=HTML)
    assert answer.status_code == 401
    assert 'action="/login"' in answer.text


def test_a_login_with_a_wrong_token_gives_no_cookie(client: TestClient) -> None:
    answer = client.post("/login", data={"token": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_login_sets_a_cookie_that_scripts_and_foreign_pages_cannot_use(client: TestClient) -> None:
    cookie = client.post("/login", data={"token": TOKEN}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/", headers=HTML).status_code == 200


def test_behind_a_proxy_the_cookie_is_for_tls_alone(sessions: Sessions, tmp_path: Path, clock: Clock) -> None:
    answer = make_client(sessions, tmp_path, clock, proxy=True).post("/login", data={"token": TOKEN})
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age=" in answer.headers["strict-transport-security"]


def test_a_session_ends(client: TestClient, clock: Clock) -> None:
    log_in(client)
    clock.now = NOW + access.SESSION_FOR - timedelta(seconds=1)
    assert client.get("/", headers=HTML).status_code == 200
    clock.now = NOW + access.SESSION_FOR
    assert client.get("/", headers=HTML).status_code == 401


def test_a_log_out_removes_the_cookie(client: TestClient) -> None:
    form_token = log_in(client)
    assert client.post("/logout", data={"form_token": form_token}).status_code == 303
    assert client.get("/", headers=HTML).status_code == 401


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1] + ("0" if c[-1] != "0" else "1"), lambda c: "9" + c, lambda c: "x"]
)
def test_a_changed_cookie_is_no_session(change) -> None:  # type: ignore[no-untyped-def]
    cookie = access.issue_session(TOKEN, NOW, "ab12")
    assert access.session_nonce(cookie, TOKEN, NOW) == "ab12"
    assert access.session_nonce(change(cookie), TOKEN, NOW) is None
    assert access.session_nonce(cookie, TOKEN + "x", NOW) is None


def test_a_button_without_the_form_token_of_its_session_does_nothing(client: TestClient, sessions: Sessions) -> None:
    log_in(client)
    other = access.form_token(TOKEN, "another session")
    for form in ({}, {"form_token": ""}, {"form_token": other}):
        assert client.post("/tasks/train", data=form).status_code == 403
        assert client.post("/findings/x/reject", data=form).status_code == 403
        assert client.post("/analyses/x/release", data=form).status_code == 403
        assert client.post("/destinations/x/test", data=form).status_code == 403
        assert client.post("/logout", data=form).status_code == 403
    with sessions() as session:
        assert session.scalars(select(Task)).all() == []


def test_a_button_with_the_form_token_works(client: TestClient, sessions: Sessions) -> None:
    form_token = log_in(client)
    assert client.post("/tasks/train", data={"form_token": form_token}).status_code == 303
    with sessions() as session:
        assert session.scalars(select(Task.kind)).all() == ["train"]


def test_a_button_needs_a_session_or_the_token(client: TestClient, sessions: Sessions) -> None:
    assert client.post("/tasks/train", data={}).status_code == 401
    with sessions() as session:
        assert session.scalars(select(Task)).all() == []


def test_a_button_is_never_pressed_by_get(client: TestClient) -> None:
    answer = client.get("/tasks/train", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code in (404, 405)


@pytest.mark.parametrize("address", ["/healthz", "/metrics", "/nothing", "/login", "/"])
def test_every_answer_has_the_security_headers(client: TestClient, address: str) -> None:
    headers = client.get(address, headers=HTML).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_no_page_names_another_host_or_holds_script_or_style_of_its_own(seeded: Sessions, client: TestClient) -> None:
    for address in PAGES:
        text = client.get(address, headers={**HTML, "Authorization": f"Bearer {TOKEN}"}).text
        assert re.search(r"""(src|href|action)=["'](https?:)?//""", text) is None
        assert "<style" not in text
        assert "style=" not in text
        assert re.findall(r"<script[^>]*>", text) in ([], ['<script src="/static/poll.js" defer>'])
