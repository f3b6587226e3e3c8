"""The sentences, as plain values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.web.attention import NodeState, Process, in_gb, notices
from dicom_node.web.rendering import ago, froc_points

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WORKER = Process("a-work", "work", NOW - timedelta(seconds=20))
RECEIVER = Process("a-receive-104", "receive", NOW - timedelta(seconds=20))
HEALTHY = NodeState(10**12, 2 * 10**9, processes=(WORKER, RECEIVER))
FULL = replace(HEALTHY, free_bytes=1_500_000_000)


def test_a_healthy_node_says_nothing() -> None:
    assert notices(HEALTHY, NOW) == ()


def sentences(*processes: Process) -> list[str]:
    found = notices(replace(HEALTHY, processes=processes), NOW)
    assert {notice.level for notice in found} <= {"stop"}
    return [notice.sentence for notice in found]


NO_RECEIVER = "No receive process runs: nothing can be sent to this node."
NO_WORKER = "No work process runs: nothing is harvested, analysed or delivered."


def test_a_role_that_never_ran_or_has_ended_is_missed() -> None:
    assert sentences() == [NO_RECEIVER, NO_WORKER]
    assert sentences(RECEIVER) == [NO_WORKER]
    assert sentences(WORKER, replace(RECEIVER, stopped=True)) == [NO_RECEIVER]


def test_a_process_that_died_is_named_also_while_another_of_its_role_runs() -> None:
    dead = Process("b-receive-104", "receive", NOW - timedelta(minutes=9))
    silent = "The receive process b-receive-104 has been silent since 2026-11-24 07:51 UTC."
    assert sentences(WORKER, RECEIVER, dead) == [silent]
    assert sentences(WORKER, dead) == [NO_RECEIVER, silent]


def test_a_process_that_ended_by_itself_is_not_missed_while_another_runs() -> None:
    ended = Process("b-receive-104", "receive", NOW - timedelta(days=3), stopped=True)
    assert sentences(WORKER, RECEIVER, ended) == []


def test_what_stops_the_node_comes_before_what_can_wait() -> None:
    state = replace(FULL, held=3, dead=1)
    assert [notice.level for notice in notices(state, NOW)] == ["stop", "warn", "info"]


def test_lost_files_are_said_first_with_what_to_do() -> None:
    first = notices(replace(HEALTHY, files_lost=2, dead=1), NOW)[0]
    assert first.sentence == "The file of 2 stored objects is gone; send them again."
    assert first.link == "/refusals?reason=lost"


def test_a_destination_that_takes_nothing_is_named_with_the_way_to_it() -> None:
    (notice,) = notices(replace(HEALTHY, open_circuits=(("PACS <1>", NOW - timedelta(hours=2)),)), NOW)
    assert notice.sentence == "PACS <1> takes no results since 2026-11-24 06:00 UTC; it is tried now and then."
    assert (notice.level, notice.link) == ("warn", "/destinations/PACS%20%3C1%3E")


def test_results_that_do_not_show_what_a_person_said_come_first() -> None:
    first, *_ = notices(replace(HEALTHY, results_stale=1, dead=1, held=1), NOW)
    assert first.sentence == "The results of 1 study could not be made anew; they do not show what a person said."
    assert (first.level, first.link) == ("stop", "/studies?show=stale")


def test_answers_on_commitment_that_were_not_taken_are_said() -> None:
    (notice,) = notices(replace(HEALTHY, commitments_refused=2), NOW)
    assert notice.sentence.startswith("The answer to 2 requests for storage commitment was not taken")


def test_what_is_held_leads_to_the_page_of_what_waits() -> None:
    (notice,) = notices(replace(HEALTHY, held=1), NOW)
    assert (notice.sentence, notice.link) == ("1 delivery is held until a person releases them.", "/release")


def test_too_little_space_names_both_figures() -> None:
    assert notices(FULL, NOW)[0].sentence == (
        "Only 1.5 GB are free, less than min_free_gb = 2.0: what is sent to this node is refused."
    )


def test_space_that_gets_scarce_is_said_before_it_stops_anything() -> None:
    assert [notice.level for notice in notices(replace(HEALTHY, free_bytes=2_500_000_000), NOW)] == ["warn"]


@pytest.mark.parametrize(("waited", "said"), [(timedelta(minutes=59), False), (timedelta(minutes=61), True)])
def test_a_delivery_that_waits_for_more_than_an_hour_is_said(waited: timedelta, said: bool) -> None:
    assert bool(notices(replace(HEALTHY, oldest_waiting_at=NOW - waited), NOW)) is said


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=90), "90 min ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_an_age_is_said_in_the_largest_unit_of_which_there_are_two(age: timedelta, text: str) -> None:
    assert ago(NOW - age, NOW) == text


def test_large_sizes_have_no_digits() -> None:
    assert (in_gb(2_340_000_000), in_gb(123_400_000_000)) == ("2.3", "123")


def test_a_froc_without_some_of_its_points_keeps_the_others_in_place() -> None:
    assert froc_points((0.25, None, 0.5, None, 1.0), width=80, height=40) == "0.0,30.0 40.0,20.0 80.0,0.0"
    assert froc_points((None,) * 5, 80, 40) == ""
