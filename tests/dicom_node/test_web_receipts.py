"""What the pages say of what was delivered, committed, kept back and taken back."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from found_study import ANALYSIS, FOUND_STUDY
from sqlalchemy import delete, update
from starlette.testclient import TestClient
from test_web_pages import client_of

from db.engine import Sessions
from db.models import LesionRow, Study
from db.outcomes import Analysis, Circuit, Delivery
from dicom_node.comparison import Comparison
from dicom_node.web import comparison_queries
from dicom_node.web.settings import Destination

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SHADOW = Destination("SHADOW", "SHADOW", "10.0.0.9", 104, mode="shadow")
ROOM = Destination("READING <ROOM>", "READING", "10.0.0.7", 104)
COMPARED = Comparison(studies=1, agreed=1, alone=1, marked=2, missed=1)


@pytest.fixture
def client(seeded: Sessions, tmp_path: Path) -> TestClient:
    return client_of(seeded, tmp_path, destinations=(SHADOW, ROOM))


def receipt(client: TestClient, destination: str) -> list[str]:
    """The cells of a destination's line among the receipts of the study, as text."""
    text = client.get(f"/studies/{FOUND_STUDY}").text.split('id="receipts"')[1].split("</table>")[0]
    (line,) = [row for row in re.findall(r"<tr>.*?</tr>", text, re.S) if destination in row]
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", line, re.S)]


def test_a_study_has_a_receipt_for_each_destination(client: TestClient, sessions: Sessions) -> None:
    delivered, committed = "2026-11-23 02:00", "2026-11-23 03:00"
    assert receipt(client, "ARCHIVE") == ["ARCHIVE", "committed", "2", "2", "2", delivered, committed]
    assert receipt(client, "ROOM")[1:] == ["held", "2", "0", "0", "–", "–"]
    with sessions.begin() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.destination == "ARCHIVE", Delivery.committed_at.is_(None))
            .values(state="delivered")
        )
    assert receipt(client, "ARCHIVE")[1:5] == ["delivered", "2", "2", "1"]


@pytest.mark.parametrize(
    ("state", "looks"), [("committed", "kept"), ("shadow", "aside"), ("retracted", "gone"), ("held", "wait")]
)
def test_deliveries_are_found_by_their_state_which_has_its_own_look(client: TestClient, state: str, looks: str) -> None:
    text = client.get(f"/deliveries?state={state}").text
    shown = set(re.findall(r'<span class="state( \w+)?">(\w+)</span>', text))
    assert shown == {(f" {looks}", state)}
    assert f'<a href="/deliveries?state={state}" class="chosen" aria-current="true">' in text


def test_the_deliveries_to_a_destination_are_found_by_their_state(client: TestClient) -> None:
    address = "/destinations/READING%20%3CROOM%3E"
    text = client.get(f"{address}?state=dead").text
    assert set(re.findall(r'<span class="state[^"]*">(\w+)</span>', text)) == {"dead", "waiting"}
    assert f'href="{address}?state=held"' in text
    assert "There is no such delivery." in client.get(f"{address}?state=shadow").text


def test_a_destination_that_takes_nothing_says_since_when_why_and_what_is_next(
    client: TestClient, sessions: Sessions
) -> None:
    text = client.get("/destinations/ARCHIVE").text
    assert "after 6 failures in a row: no association &lt;script&gt;" in text
    assert "2026-11-24 03:00" in text and "2026-11-24 08:04" in text
    assert '<span class="state bad">open</span>' in client.get("/").text
    with sessions.begin() as session:
        session.execute(update(Circuit).values(opened_at=None, probe_at=None))
    assert "in a row" not in client.get("/destinations/ARCHIVE").text
    assert '<span class="state bad">open</span>' not in client.get("/").text


def test_commitment_is_shown_in_both_directions_until_it_is_answered(client: TestClient) -> None:
    asked = client.get("/destinations/ARCHIVE").text
    assert "2.25.900" in asked and "Asked by it" not in asked
    waits = client.get("/destinations/READING%20%3CROOM%3E").text
    assert "Asked by it, and not answered yet" in waits and "2.25.900" not in waits
    section = client.get("/").text.split("Peers that wait for our promise")[1].split("</table>")[0]
    assert re.findall(r"<tr><td>(\w+)</td>", section) == ["READING", "PACS"], "not the one that is answered"


def test_a_destination_in_shadow_shows_what_would_have_been_right(client: TestClient) -> None:
    text = client.get("/destinations/SHADOW").text
    assert "results are kept and compared, never sent" in text
    assert "Beside what people marked" in text
    assert "Beside what people marked" not in client.get("/destinations/READING%20%3CROOM%3E").text


# --- the totals -------------------------------------------------------------------------------------------------


def again(analysis_id: str, revision: int, model_id: str) -> Analysis:
    return Analysis(
        analysis_id=analysis_id, study_instance_uid=FOUND_STUDY, study_revision=revision, model_id=model_id,
        state="none found", started_at=NOW, finished_at=NOW,
    )  # fmt: skip


def test_a_model_is_compared_by_its_newest_analysis_of_each_study(seeded: Sessions) -> None:
    with seeded.begin() as session:
        model_id = str(session.get_one(Analysis, ANALYSIS).model_id)
        assert comparison_queries.totals(session) == {model_id: COMPARED}
        session.add_all([again("later", 2, model_id), again("other", 2, "bbbbbbbbbbbb")])
        session.flush()
        nothing = Comparison(studies=1, marked=2, missed=2)
        assert comparison_queries.totals(session) == {model_id: nothing, "bbbbbbbbbbbb": nothing}


def test_only_so_many_analyses_are_looked_at(seeded: Sessions) -> None:
    with seeded.begin() as session:
        session.add(again("other", 2, "bbbbbbbbbbbb"))
        session.flush()
        assert list(comparison_queries.totals(session, most=1)) == ["bbbbbbbbbbbb"]


def test_what_is_no_truth_or_has_no_extent_is_no_mark(seeded: Sessions) -> None:
    with seeded.begin() as session:
        analysis = session.get_one(Analysis, ANALYSIS)
        assert comparison_queries.comparison_of(session, analysis) == COMPARED
        session.execute(update(LesionRow).where(LesionRow.lesion_id == "mark-missed").values(box_x1=None))
        assert comparison_queries.comparison_of(session, analysis).marked == 1
        session.execute(update(LesionRow).values(excluded_because="drawn by an algorithm"))
        assert comparison_queries.comparison_of(session, analysis) == Comparison()
        assert comparison_queries.totals(session) == {}


def test_a_node_without_marks_shows_no_comparison(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(delete(LesionRow).where(LesionRow.study_instance_uid == FOUND_STUDY))
        assert session.get_one(Study, FOUND_STUDY)
    for address in ("/", f"/studies/{FOUND_STUDY}", "/destinations/SHADOW"):
        assert "eside what people marked" not in client.get(address).text
