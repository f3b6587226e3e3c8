"""Categories over generations: names stay, a person's name goes before ours, and no two are called alike."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from db import categories
from db.categories import MAX_NAME, NewGeneration, NewGroup
from db.engine import Sessions
from db.errors import RequestError
from db.models import Category
from db.outcomes import Audit

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def group(stem: str, members: str, name: str = "", category_id: int | None = None) -> NewGroup:
    distances = {lesion_id: float(place) for place, lesion_id in enumerate(members)}
    return NewGroup(category_id, name or stem, stem, None, None, 0.9, distances)


def add(sessions: Sessions, *groups: NewGroup) -> int:
    with sessions.begin() as session:
        return categories.add_generation(session, NewGeneration("hu", "", {}, {}, groups), NOW)


def names(sessions: Sessions) -> dict[int, str]:
    with sessions() as session:
        return {line.category_id: line.name for line in categories.list_categories(session)}


def rename(sessions: Sessions, category_id: int, name: str) -> None:
    with sessions.begin() as session:
        categories.rename(session, category_id, name, "admin", NOW)


def test_before_the_first_generation_there_is_nothing(sessions: Sessions) -> None:
    with sessions() as session:
        assert categories.current_generation(session) is None
        assert categories.list_categories(session) == []
        assert categories.truth_lesions(session) == []


def test_categories_are_listed_largest_first_with_their_members(sessions: Sessions) -> None:
    number = add(sessions, group("Liver", "ab"), group("Lung", "cdef"))
    with sessions() as session:
        listed = categories.list_categories(session)
        assert [(line.name, line.members, line.stability) for line in listed] == [("Lung", 4, 0.9), ("Liver", 2, 0.9)]
        assert categories.members(session, number) == dict.fromkeys("ab", 1) | dict.fromkeys("cdef", 2)
        assert categories.samples(session, 2, count=3) == ["c", "d", "e"]


def test_an_older_generation_can_still_be_read(sessions: Sessions) -> None:
    first = add(sessions, group("Liver", "ab"))
    add(sessions, group("Liver", "abcd", category_id=1))
    with sessions() as session:
        assert [line.members for line in categories.list_categories(session, first)] == [2]
        assert [line.members for line in categories.list_categories(session)] == [4]


def test_a_persons_name_lives_through_the_generations_and_is_written_down(sessions: Sessions) -> None:
    add(sessions, group("Liver", "ab"), group("Lung", "cd"))
    rename(sessions, 1, "  Hepatic   metastasis ")
    add(sessions, group("Bone", "abx", category_id=1), group("Lung", "cd", category_id=2))
    add(sessions, group("Spleen", "abxy", category_id=1), group("Lung", "cd", category_id=2))
    assert names(sessions) == {1: "Hepatic metastasis", 2: "Lung"}
    with sessions() as session:
        (audit,) = session.scalars(select(Audit))
        assert (audit.at, audit.actor, audit.action, audit.target) == (NOW, "admin", "rename category", "1")
        assert audit.facts == {"old": "Liver", "new": "Hepatic metastasis"}
        assert session.get_one(Category, 1).named_by_person


def test_a_refused_rename_changes_and_writes_down_nothing(sessions: Sessions) -> None:
    add(sessions, group("Liver", "ab"), group("Lung", "cd"))
    for category_id, name in ((1, "lung"), (1, " "), (1, "x" * (MAX_NAME + 1)), (9, "Bone")):
        with pytest.raises(RequestError):
            rename(sessions, category_id, name)
    assert names(sessions) == {1: "Liver", 2: "Lung"}
    with sessions() as session:
        assert session.scalars(select(Audit)).all() == []


def test_a_category_may_be_given_its_own_name_and_keeps_it_then(sessions: Sessions) -> None:
    add(sessions, group("Liver", "ab"))
    rename(sessions, 1, "LIVER")
    add(sessions, group("Bone", "ab", category_id=1))
    assert names(sessions) == {1: "LIVER"}


def test_an_automatic_name_stays_while_it_begins_alike(sessions: Sessions) -> None:
    add(sessions, group("Bone", "ab"))
    add(sessions, group("Bone", "ab", "Bone, dense", category_id=1), group("Bone", "cd", "Bone, soft"))
    assert names(sessions) == {1: "Bone", 2: "Bone, soft"}
    add(sessions, group("Bone", "ab", "Bone", category_id=1), group("Bone", "cd", "Bone 2", category_id=2))
    assert names(sessions) == {1: "Bone", 2: "Bone, soft"}


def test_an_automatic_name_that_has_become_wrong_is_changed(sessions: Sessions) -> None:
    add(sessions, group("Bone", "ab"), group("Lung", "cd"))
    add(sessions, group("Bone marrow", "ab", category_id=1), group("Liver", "cd", category_id=2))
    assert names(sessions) == {1: "Bone marrow", 2: "Liver"}


def test_a_name_that_another_category_has_or_had_gets_a_number(sessions: Sessions) -> None:
    add(sessions, group("Bone", "ab"))
    add(sessions, group("bone", "cd"))
    add(sessions, group("Bone", "ef"))
    assert names(sessions) == {3: "Bone 3"}
    with sessions() as session:
        assert session.scalars(select(Category.name).order_by(Category.category_id)).all() == [
            "Bone",
            "bone 2",
            "Bone 3",
        ]


def test_a_long_name_is_cut_and_still_unlike_the_others(sessions: Sessions) -> None:
    long = "Region " * 20
    add(sessions, group(long, "ab"), group(long, "cd"))
    first, second = names(sessions).values()
    assert (first, len(first)) == (long[:MAX_NAME], MAX_NAME)
    assert second == long[: MAX_NAME - 2] + " 2"
    add(sessions, group(long, "ab", category_id=1), group(long, "cd", category_id=2))
    assert list(names(sessions).values()) == [first, second]
