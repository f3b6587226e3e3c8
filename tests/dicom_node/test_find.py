"""How many instances a study has at its sender, and what a study waits for, against a real SCP."""

import logging
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from arriving import NOW, QUIET, SITE_KEY, STUDY, ct, new_store, received
from node_process import free_port
from peers import Script, ScriptedPeer, scripted_peer
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from sqlalchemy import select

from db.engine import Sessions, reading
from db.errors import PeerError
from db.models import Study
from db.outcomes import Analysis, Delivery, Result
from dicom_node import scu
from dicom_node.config import Config, Peer
from dicom_node.find import PeerCounts, number_of_instances
from dicom_node.settle import Settled, settle_due, settle_study
from dicom_node.store import Store


@pytest.fixture
def store(sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(sessions, tmp_path)


def counts(store: Store, *peers: Peer, clock: Callable[[], float] = time.monotonic) -> PeerCounts:
    return PeerCounts(Config(peers=list(peers)), store.sessions, clock)


@pytest.mark.parametrize(("answer", "number"), [(7, 7), (0, 0), (None, None), ("nothing", None)])
def test_the_peers_count_is_what_it_says(answer: int | str | None, number: int | None) -> None:
    with scripted_peer(Script(finds=[answer])) as there:
        assert number_of_instances(there.peer, "LESION_NODE", STUDY) == number
        assert there.script.asked == [STUDY]


def test_a_find_that_fails_or_breaks_off_gives_no_count() -> None:
    for script in (Script(finds=["fail"]), Script(abort=True)):
        with scripted_peer(script) as there, pytest.raises(PeerError, match=r"the peer .* C-FIND"):
            number_of_instances(there.peer, "LESION_NODE", STUDY)


def test_a_peer_without_find_says_what_to_set() -> None:
    with scripted_peer(offers=[Verification]) as there, pytest.raises(PeerError, match="set find = false"):
        number_of_instances(there.peer, "LESION_NODE", STUDY)


def test_only_the_sender_is_asked_and_only_if_it_may_be(store: Store) -> None:
    with scripted_peer(Script(finds=[5])) as there:
        may_not = there.peer.model_copy(update={"name": "Other", "ae_title": "OTHER", "find": False})
        asked = counts(store, there.peer, may_not)
        assert [asked.ask(ae_title, STUDY) for ae_title in ("ARCHIVE", "OTHER", "NOBODY", "")] == [5, None, None, None]
        assert there.script.asked == [STUDY]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom drops an unused socket
def test_a_peer_that_cannot_be_asked_costs_the_count_and_a_warning(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    gone = Peer(name="Archive", ae_title="ARCHIVE", port=free_port(), find=True)
    assert counts(store, gone).ask("ARCHIVE", STUDY) is None
    assert f"study={STUDY} gets no count: the peer cannot be reached" in caplog.text


def test_a_peer_that_failed_is_left_alone_for_a_minute_and_the_others_are_not(store: Store) -> None:
    now = 1000.0
    with (
        scripted_peer(Script(finds=["fail", 4])) as there,
        socket.create_server(("127.0.0.1", 0)) as silent,  # it takes the connection and says nothing
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(scu, "TIMEOUT_S", 1.0)
        stuck = Peer(name="Stuck", ae_title="STUCK", port=silent.getsockname()[1], find=True)
        asked = counts(store, there.peer, stuck, clock=lambda: now)
        assert asked.ask("ARCHIVE", STUDY) is None
        began = time.monotonic()
        assert asked.ask("STUCK", STUDY) is None
        assert time.monotonic() - began > 0.9
        now += 59
        began = time.monotonic()
        assert [asked.ask(ae_title, STUDY) for ae_title in ("ARCHIVE", "STUCK", "STUCK")] == [None] * 3
        assert time.monotonic() - began < 0.9
        now += 2
        assert asked.ask("ARCHIVE", STUDY) == 4
        assert there.script.asked == [STUDY] * 2


# --- settling by the count ---------------------------------------------------------------------------------------


def keep(store: Store, number: int, seconds: float = 0) -> None:
    arrived = received(ct(number))
    store.keep(type(arrived)(arrived.data_set, arrived.transfer_syntax_uid, "", "", "ARCHIVE"), later(seconds))


def later(seconds: float) -> object:
    return NOW + timedelta(seconds=seconds)


def tick(store: Store, there: ScriptedPeer, seconds: float) -> list[Settled]:
    return settle_due(
        store.sessions, store.files, later(seconds), QUIET, SITE_KEY, counts(store, there.peer).ask, set()
    )


def study(store: Store) -> Study:
    with reading(store.sessions) as session:
        return session.scalars(select(Study)).one()


def test_a_study_waits_for_what_its_sender_counts_and_is_then_incomplete_with_both_numbers(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with scripted_peer(Script(finds=[3])) as there:
        keep(store, 1)
        keep(store, 2)
        assert tick(store, there, 60) == tick(store, there, 119) == []
        assert len(there.script.asked) == 1, "it is asked when the study is quiet, not at every tick"
        (settled,) = tick(store, there, 120)
    assert (settled.complete, settled.instances) == (False, 2)
    assert (study(store).state, study(store).expected_instances) == ("incomplete", 3)
    assert f"study={STUDY} incomplete: 2 of 3 instances" in caplog.text


def test_the_last_instance_completes_the_study_it_waited_for(store: Store) -> None:
    with scripted_peer(Script(finds=[2])) as there:
        keep(store, 1)
        assert tick(store, there, 60) == []
        keep(store, 2, seconds=70)
        assert tick(store, there, 129) == []
        (settled,) = tick(store, there, 130)
    assert (settled.complete, settled.revision) == (True, 1)


def test_a_late_instance_re_opens_an_incomplete_study_and_completes_it(store: Store) -> None:
    with scripted_peer(Script(finds=[2])) as there:
        keep(store, 1)
        tick(store, there, 60)
        assert [settled.complete for settled in tick(store, there, 120)] == [False]
        keep(store, 2, seconds=500)
        assert (study(store).state, study(store).expected_instances) == ("receiving", None)
        (settled,) = tick(store, there, 560)
    assert (settled.complete, settled.revision, study(store).state) == (True, 2, "settled")


def test_a_study_of_a_peer_that_does_not_answer_settles_by_quiet_alone(store: Store) -> None:
    with scripted_peer(Script(abort=True)) as there:
        keep(store, 1)
        (settled,) = tick(store, there, 60)
    assert (settled.complete, study(store).expected_instances) == (True, None)


def deliver(store: Store, uid: str, destination: str, state: str = "delivered") -> None:
    """One result of ours in the study, as the outbox notes it."""
    with store.sessions.begin() as session:
        if session.get(Analysis, "a") is None:
            session.add(
                Analysis(
                    analysis_id="a", study_instance_uid=STUDY, study_revision=1, state="found",
                    started_at=NOW, finished_at=NOW,
                )
            )  # fmt: skip
            session.flush()
        session.add(
            Result(
                result_sop_instance_uid=uid, analysis_id="a", kind="SR", profile="ohif", file_name=uid,
                sop_class_uid="1", series_instance_uid="1", instance_number=1, header_sha256="", created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        at = NOW if state in ("delivered", "retracted") else None
        session.add(
            Delivery(result_sop_instance_uid=uid, destination=destination, state=state, created_at=NOW, delivered_at=at)
        )


def test_our_own_results_at_the_sender_are_none_that_are_missing_here(store: Store) -> None:
    with scripted_peer(Script(finds=[1, 4])) as there:
        keep(store, 1)
        assert [settled.complete for settled in tick(store, there, 60)] == [True]
        for uid, destination in (("2.25.1", "Archive"), ("2.25.2", "Archive"), ("2.25.3", "Another")):
            deliver(store, uid, destination)
        deliver(store, "2.25.4", "Archive", state="waiting")
        deliver(store, "2.25.5", "Archive", state="retracted")
        keep(store, 2, seconds=500)  # of its 4 the sender has 2 images, and 2 results of ours
        (settled,) = tick(store, there, 560)
    assert (settled.complete, settled.instances, study(store).expected_instances) == (True, 2, 2)


def test_a_result_of_ours_that_came_back_is_counted_on_both_sides(store: Store) -> None:
    with scripted_peer(Script(finds=[3])) as there:
        keep(store, 1)
        settle_study(store.sessions, store.files, STUDY, later(60), SITE_KEY)
        deliver(store, ct(2).SOPInstanceUID, "Archive")
        keep(store, 2, seconds=500)  # it came back
        assert tick(store, there, 560) == []
        keep(store, 3, seconds=570)
        (settled,) = tick(store, there, 630)
    assert (settled.complete, settled.instances, study(store).expected_instances) == (True, 3, 3)
