"""Wrong tokens cost their address waiting, and nobody else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from test_web_access import HTML, TOKEN, Clock, log_in, make_client

from db.engine import Sessions
from dicom_node.web.throttle import FORGET_AFTER, FREE_TRIES, LONGEST, MOST_ADDRESSES, Throttle

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WRONG = {"Authorization": "Bearer wrong"}
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(sessions: Sessions, tmp_path: Path, clock: Clock) -> TestClient:
    return make_client(sessions, tmp_path, clock)


def failing(throttle: Throttle, times: int, address: str = "10.0.0.9") -> int:
    for _ in range(times):
        throttle.failed(address, NOW)
    return throttle.wait_s(address, NOW)


def test_the_first_wrong_tokens_cost_nothing_then_the_waiting_doubles_up_to_a_minute() -> None:
    waits = [failing(Throttle(), times) for times in range(FREE_TRIES + 9)]
    assert waits == [0] * FREE_TRIES + [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert failing(Throttle(), 5000) == LONGEST.total_seconds()


def test_waiting_ends_by_itself_and_after_a_while_all_is_forgotten() -> None:
    throttle = Throttle()
    assert failing(throttle, FREE_TRIES + 2) == 4
    assert throttle.wait_s("10.0.0.9", NOW + timedelta(seconds=3.5)) == 1
    assert throttle.wait_s("10.0.0.9", NOW + timedelta(seconds=4)) == 0
    throttle.failed("10.0.0.9", NOW + FORGET_AFTER)
    assert throttle.wait_s("10.0.0.9", NOW + FORGET_AFTER) == 0


def test_the_right_token_forgets_what_was_wrong_and_other_addresses_never_wait() -> None:
    throttle = Throttle()
    failing(throttle, FREE_TRIES)
    assert throttle.wait_s("10.0.0.10", NOW) == 0
    throttle.succeeded("10.0.0.9")
    assert throttle.wait_s("10.0.0.9", NOW) == 0


def test_many_addresses_take_no_more_memory_than_a_thousand() -> None:
    throttle = Throttle()
    failing(throttle, FREE_TRIES, "first")
    for number in range(MOST_ADDRESSES):
        throttle.failed(f"address {number}", NOW)
    assert throttle.wait_s("first", NOW) == 0
    assert len(throttle._failed) == MOST_ADDRESSES


def test_a_locked_address_is_not_told_whether_its_token_is_right(client: TestClient, clock: Clock) -> None:
    for _ in range(FREE_TRIES):
        assert client.get("/metrics", headers=WRONG).status_code == 401
    for headers in (WRONG, RIGHT):
        answer = client.get("/metrics", headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert client.post("/login", data={"token": TOKEN}).status_code == 429
    clock.now += timedelta(seconds=1)
    assert client.get("/metrics", headers=RIGHT).status_code == 200


def test_wrong_logins_lock_the_form_and_say_for_how_long(client: TestClient, clock: Clock) -> None:
    for _ in range(FREE_TRIES):
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
    answer = client.post("/login", data={"token": TOKEN})
    assert answer.status_code == 429
    assert "try again in 1 s" in answer.text
    assert "set-cookie" not in answer.headers
    clock.now += timedelta(seconds=1)
    assert client.post("/login", data={"token": TOKEN}).status_code == 303


def test_an_open_session_goes_on_while_its_address_is_locked(client: TestClient) -> None:
    log_in(client)
    for _ in range(FREE_TRIES + 1):
        client.post("/login", data={"token": "wrong"})
    assert client.post("/login", data={"token": TOKEN}).status_code == 429
    assert client.get("/", headers=HTML).status_code == 200


def test_a_request_without_any_token_is_no_failure(client: TestClient) -> None:
    for _ in range(FREE_TRIES + 1):
        assert client.get("/", headers=HTML).status_code == 401
    assert client.get("/metrics", headers=RIGHT).status_code == 200
