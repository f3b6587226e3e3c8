"""When a destination that fails is left alone, and when one probe goes to it."""

from datetime import UTC, datetime, timedelta

from db import circuits as rows
from db.engine import Sessions
from dicom_node import circuits
from dicom_node.circuits import OPENS_AFTER, PROBE_LASTS, Circuit, decide

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def failed(times: int, now: datetime = NOW) -> Circuit:
    circuit = Circuit()
    for _ in range(times):
        circuit, _ = decide(circuit, "failure", now, "silent")
    return circuit


def test_a_few_failures_stop_nothing_and_a_success_forgets_them() -> None:
    circuit = failed(OPENS_AFTER - 1)
    assert decide(circuit, "ask", NOW) == (circuit, None)
    circuit, _ = decide(circuit, "success", NOW)
    assert circuit == Circuit()
    assert decide(failed(OPENS_AFTER - 1), "failure", NOW)[1] == NOW + MINUTE


def test_while_it_is_open_one_probe_goes_when_it_is_due_and_nothing_else() -> None:
    circuit = failed(OPENS_AFTER)
    assert decide(circuit, "ask", NOW + MINUTE / 2) == (circuit, NOW + MINUTE)
    probing, until = decide(circuit, "ask", NOW + MINUTE)
    assert until is None
    assert decide(probing, "ask", NOW + MINUTE)[1] == NOW + MINUTE + PROBE_LASTS
    assert decide(probing, "ask", NOW + MINUTE + PROBE_LASTS)[1] is None, "the probe was killed: another goes"


def test_the_time_between_probes_doubles_up_to_an_hour_and_the_beginning_stays_known() -> None:
    circuit, now, waits = failed(OPENS_AFTER), NOW, []
    for _ in range(8):
        assert circuit.probe_at is not None
        waits.append((circuit.probe_at - now) / MINUTE)
        now = circuit.probe_at
        circuit, _ = decide(circuit, "failure", now, "still silent")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (circuit.opened_at, circuit.reason) == (NOW, "still silent")


def test_the_row_tells_since_when_and_why_until_a_success_or_a_person_wants_it_tried(any_sessions: Sessions) -> None:
    with any_sessions.begin() as session:
        assert circuits.blocked_until(session, "pacs", NOW) == (None, "")
        opened = [circuits.note_failure(session, "pacs", "silent", NOW) for _ in range(OPENS_AFTER + 1)]
    assert opened == [False] * (OPENS_AFTER - 1) + [True, False]
    with any_sessions.begin() as session:
        (row,) = rows.open_circuits(session)
        assert (row.destination, row.opened_at, row.reason) == ("pacs", NOW, "silent")
        assert circuits.blocked_until(session, "pacs", NOW) == (NOW + 2 * MINUTE, "silent")
        rows.probe_now(session, "pacs", NOW)
        assert circuits.blocked_until(session, "pacs", NOW) == (None, "")
        assert circuits.blocked_until(session, "other", NOW) == (None, "")
    with any_sessions.begin() as session:
        assert circuits.note_success(session, "pacs", NOW)
        assert not circuits.note_success(session, "pacs", NOW)
        assert rows.open_circuits(session) == []
