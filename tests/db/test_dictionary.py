"""Every column of every view has a meaning, and no meaning outlives its column."""

import pytest
from sqlalchemy import inspect

from db.dictionary import KINDS, as_markdown, entries
from db.engine import Sessions
from db.harvested import KEY_IMAGE, NO_EXTENT
from db.meanings import MEANINGS, PURPOSE, SHARED
from db.outcomes import DELIVERY_STATES
from db.views import VIEWS
from mining.copies import BY_ALGORITHM, OWN_COPY, SUPERSEDED


def columns(view: str) -> list[str]:
    return [column.name for column in VIEWS[view]().selected_columns]


def test_every_view_has_a_purpose_and_no_other() -> None:
    assert sorted(PURPOSE) == sorted(VIEWS) == sorted(MEANINGS)


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_has_a_meaning(view: str) -> None:
    assert [name for name in columns(view) if name not in MEANINGS[view] and name not in SHARED] == []
    assert all(entry.meaning.says for entry in entries(view))


@pytest.mark.parametrize("view", VIEWS)
def test_every_meaning_has_a_column(view: str) -> None:
    assert set(MEANINGS[view]) <= set(columns(view))


def test_a_shared_meaning_is_used_by_a_view_that_says_nothing_else() -> None:
    used = {name for view in VIEWS for name in columns(view) if name not in MEANINGS[view]}
    assert used == set(SHARED)


def test_the_columns_are_those_of_the_database_in_its_order(any_sessions: Sessions) -> None:
    inspector = inspect(any_sessions.kw["bind"])
    for view in VIEWS:
        assert [entry.column for entry in entries(view)] == [one["name"] for one in inspector.get_columns(view)]


def test_types_are_told_in_words() -> None:
    kinds = {entry.column: entry.kind for entry in entries("lesions")}
    told = {"lesion_id": "text", "study_date": "date", "measured_at": "time", "long_axis_mm": "number",
            "frame_number": "whole number", "derived": "yes/no"}  # fmt: skip
    assert told.items() <= kinds.items()
    assert {entry.kind for view in VIEWS for entry in entries(view)} == {word for _, word in KINDS}


def test_units_are_those_of_the_names() -> None:
    for view in VIEWS:
        for entry in entries(view):
            if entry.column.endswith(("_mm", "_px")):
                assert entry.meaning.unit == entry.column[-2:], f"{view}.{entry.column}"


def test_words_are_those_that_the_database_allows() -> None:
    words = {(view, entry.column): entry.meaning.words for view in VIEWS for entry in entries(view)}
    assert words["lesions", "split"] == ("train", "val", "test")
    assert words["deliveries", "state"] == DELIVERY_STATES
    assert all(words[view, "state"] for view in ("studies", "models"))
    assert words["assessments", "verdict"] == words["detections", "assessment"] != ()


def test_every_reason_against_a_row_is_named() -> None:
    (excluded,) = [entry.meaning.says for entry in entries("lesions") if entry.column == "excluded_because"]
    for reason in (BY_ALGORITHM, OWN_COPY, SUPERSEDED, KEY_IMAGE, NO_EXTENT):
        assert f"`{reason}`" in excluded


def test_the_page_has_a_line_for_each_column() -> None:
    page = as_markdown()
    for view in VIEWS:
        section = page.split(f"### `{view}`: ")[1].split("### ")[0]
        assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == columns(view)
