"""The gate as a table: what the two models found, and who may promote."""

import pytest

from detector.froc import ScanResult, Scored
from detector.gate import GateSettings, decide, held_against

SETTINGS = GateSettings(margin=0.05, least_lesions=20, draws=200)


def cohort(found: int, patients: int = 40) -> list[ScanResult]:
    """One lesion a patient; the first `found` of them are found with certainty, and each scan has a false alarm."""
    return [
        ScanResult(str(n), (True,), ((Scored(0.9, frozenset({0})),) if n < found else ()) + (Scored(0.1, frozenset()),))
        for n in range(patients)
    ]


@pytest.mark.parametrize(
    ("candidate", "incumbent", "promotes", "words"),
    [
        (cohort(30), cohort(30), True, "not worse than"),
        (cohort(36), cohort(20), True, "not worse than"),
        (cohort(29), cohort(30), False, "not shown to be as good as"),  # one of 40: the interval reaches -0.075
        (cohort(10), cohort(30), False, "not shown to be as good as"),
        (cohort(36), None, False, "a person must promote the first"),
        (cohort(19, patients=19), cohort(1, patients=19), False, "fewer than 20"),
        (cohort(20, patients=20), cohort(20, patients=20), True, "not worse than"),
        ([], [], False, "fewer than 20"),
    ],
)
def test_the_gate_decides_by_the_lower_bound_of_the_difference(
    candidate: list[ScanResult], incumbent: list[ScanResult] | None, promotes: bool, words: str
) -> None:
    verdict = decide(candidate, incumbent, SETTINGS, "abc" if incumbent is not None else "")
    assert verdict.promote is promotes and words in verdict.sentence
    assert verdict.as_json()["lesions"] == sum(sum(scan.counts) for scan in candidate)


def test_a_wider_margin_lets_a_slightly_worse_model_through() -> None:
    assert decide(cohort(29), cohort(30), GateSettings(margin=0.2, draws=200)).promote


def test_the_verdict_holds_only_against_the_model_it_was_compared_with() -> None:
    verdict = decide(cohort(36), cohort(20), SETTINGS, "abc")
    assert held_against(verdict, "abc") is verdict
    for in_use, words in (("def", "But def came to use"), ("", "But that model went out of use")):
        late = held_against(verdict, in_use)
        assert not late.promote and words in late.sentence and verdict.sentence in late.sentence
    refused = decide(cohort(10), cohort(30), SETTINGS, "abc")
    assert held_against(refused, "def") is refused
