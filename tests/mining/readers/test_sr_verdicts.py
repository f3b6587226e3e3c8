"""Verdicts in words: which words, about what, by whom."""

import pytest
from builders import COMPREHENSIVE_3D_SR, LUNG, SITE, code, container, group, num, person, sr, text
from builders_answers import ASSESSMENT, assessment, composite, evidence, ohif_axes, said, tracked
from pydicom.dataset import Dataset

from mining.readers.sr_verdicts import MOST, stated_verdicts
from mining.settings import VERDICT_WORDS, VERDICTS

LINE = ((3.0, 4.0), (9.0, 12.0))


def verdicts(ds: Dataset, table: dict[str, str] | None = None) -> dict[str, str]:
    return {uid: verdict for uid, verdict, _ in stated_verdicts(ds, table or {})[1]}


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("Accepted", "accepted"), ("AGREE", "accepted"), ("rejected", "rejected"), ("False_Positive", "rejected"),
        ("modified", "modified"), ("Supplement", "added"), ("  false   negative ", "added"),
    ],
)  # fmt: skip
def test_a_text_that_is_a_word_for_a_verdict_is_one(words: str, verdict: str) -> None:
    assert verdicts(assessment(said(words, tracked("2.25.1")), uid="1.5.1")) == {"2.25.1": verdict}


@pytest.mark.parametrize("words", ["accepted with changes", "not rejected", "acceptable", "", "a" * 65])
def test_a_sentence_is_no_verdict(words: str) -> None:
    assert verdicts(assessment(said(words, tracked("2.25.1")), uid="1.5.1")) == {}


@pytest.mark.parametrize(
    "triple", [("REJECT", "99SITE", "of no interest"), ("R-1", "99SITE", "Reject")], ids=["value", "meaning"]
)
def test_a_code_is_known_by_its_value_or_its_meaning(triple: tuple[str, str, str]) -> None:
    assert verdicts(assessment(said(triple, tracked("2.25.1")), uid="1.5.1")) == {"2.25.1": "rejected"}


def test_a_code_or_a_text_of_the_site_goes_before_the_usual_words() -> None:
    ds = assessment(
        said(("Q7", "99SITE", "Accept"), tracked("2.25.1")), said("Nicht Zutreffend", tracked("2.25.2")), uid="1.5.1"
    )
    table = {"99SITE:q7": "modified", "nicht zutreffend": "rejected"}
    assert verdicts(ds, table) == {"2.25.1": "modified", "2.25.2": "rejected"}
    assert verdicts(ds) == {"2.25.1": "accepted"}


def test_a_verdict_is_about_what_stands_below_it_before_what_stands_beside_it() -> None:
    above = code(ASSESSMENT, ("ACCEPT", "99SITE", "Accept"))
    above.ContentSequence = [tracked("2.25.1"), composite("1.8.1", COMPREHENSIVE_3D_SR)]
    ds = assessment(container(("P", "99SITE", "Part"), tracked("2.25.2"), above), uid="1.5.1")
    assert verdicts(ds) == {"2.25.1": "accepted", "1.8.1": "accepted"}


def test_a_verdict_deep_in_a_part_is_about_the_nearest_part_that_names_something() -> None:
    deep = container(("Q", "99SITE", "Questions"), text(ASSESSMENT, "rejected", relationship="CONTAINS"))
    ds = assessment(
        tracked("2.25.9"), container(("P", "99SITE", "Part"), tracked("2.25.2"), container(None, deep)), uid="1.5.1"
    )
    assert verdicts(ds) == {"2.25.2": "rejected"}


def test_a_verdict_right_below_the_root_is_about_all_that_the_document_refers_to() -> None:
    ds = evidence(assessment(text(ASSESSMENT, "accepted", relationship="CONTAINS"), uid="1.5.1"), ["1.8.1", "1.8.2"])
    assert verdicts(ds) == {"1.8.1": "accepted", "1.8.2": "accepted"}
    replacing = sr(text(ASSESSMENT, "rejected", relationship="CONTAINS"), predecessors=["1.8.3"])
    assert verdicts(replacing) == {"1.8.3": "rejected"}


def test_each_verdict_has_the_reader_who_stands_nearest() -> None:
    ds = assessment(
        said("accepted", tracked("2.25.1")),
        container(None, person("Reader^Three"), said("rejected", tracked("2.25.2"))),
        uid="1.5.1",
    )
    author, stated = stated_verdicts(ds, {})
    assert author == "Reader^Two"
    assert stated == (("2.25.1", "accepted", "Reader^Two"), ("2.25.2", "rejected", "Reader^Three"))


def test_the_last_word_on_one_finding_counts() -> None:
    ds = assessment(said("accepted", tracked("2.25.1")), said("rejected", tracked("2.25.1")), uid="1.5.1")
    assert verdicts(ds) == {"2.25.1": "rejected"}


def test_a_measurement_report_says_nothing_in_words() -> None:
    drawn = ohif_axes("1.1", LINE, LINE, "2.25.1")
    assert verdicts(sr(person("Reader^One"), drawn, group(code(SITE, LUNG), num(None or ASSESSMENT, 1, "1")))) == {}


def test_words_without_an_end_stay_bounded() -> None:
    parts = [said("accepted", tracked(f"2.25.1{n}")) for n in range(MOST + 50)]
    assert len(verdicts(assessment(*parts, uid="1.5.1"))) == MOST


def test_every_word_is_for_one_of_the_verdicts() -> None:
    assert set(VERDICT_WORDS.values()) == set(VERDICTS)
    assert all(words == words.casefold() for words in VERDICT_WORDS)
