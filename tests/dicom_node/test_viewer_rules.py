"""Every rule of the viewers holds for what we build, and is broken by a document that breaks it."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import pytest
from broken_objects import BREAKS, scoords

from dicom_node.golden import Golden, cases, golden
from dicom_node.report.profiles import PROFILES
from dicom_node.viewer_rules.rule import Rule
from dicom_node.viewer_rules.table import ALL, RULES, profiles_of, rules_for

EACH = [(rule, name) for rule in RULES for name in profiles_of(rule)]


def ids(value: object) -> str:
    return value.name if isinstance(value, Rule) else str(value)


@cache
def made(case: str) -> dict[str, Golden]:
    return {each.profile.name: each for each in golden(case, cases()[case])}


@pytest.mark.parametrize("case", ["axial", "oblique", "frames", "none found", "failed"])
@pytest.mark.parametrize("name", PROFILES)
def test_what_is_built_keeps_every_rule(case: str, name: str) -> None:
    each = made(case).get(name)
    if each is None:
        assert case in ("none found", "failed")
        return
    broken = {rule.name: list(rule.faults(each.dataset, each.expected)) for rule in rules_for(name)}
    assert {rule: faults for rule, faults in broken.items() if faults} == {}


@pytest.mark.parametrize(("rule", "name"), EACH, ids=ids)
def test_a_document_that_breaks_a_rule_is_noticed_without_quoting_it(rule: Rule, name: str) -> None:
    each = made("axial")[name]
    assert list(rule.faults(each.dataset, each.expected)) == []
    broken = deepcopy(each.dataset)
    BREAKS[rule.name](broken, each.expected)
    faults = list(rule.faults(broken, each.expected))
    assert faults, "nothing breaks this rule"
    assert "GOLDEN" not in " ".join(faults)


@pytest.mark.parametrize("name", ["ohif", "slicer", "air"])
def test_a_drawing_that_does_not_name_its_frame_is_noticed(name: str) -> None:
    each = made("frames")[name]
    broken = deepcopy(each.dataset)
    for scoord in scoords(broken):
        del scoord.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber
    (rule,) = (rule for rule in rules_for(name) if rule.name == "drawn on an image")
    faults = list(rule.faults(broken, each.expected))
    assert faults and all(fault.endswith("names no frame of a multi-frame image") for fault in faults)


def test_every_rule_has_what_breaks_it_and_a_name_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(BREAKS)


def test_every_profile_has_rules_and_every_rule_a_known_profile() -> None:
    assert set(PROFILES) <= ALL
    for rule in RULES:
        assert rule.profiles and rule.profiles <= ALL, rule.name
    for name in PROFILES:
        assert len(rules_for(name)) > len(rules_for("")), name


def test_a_rule_says_whose_it_is_and_what_happens() -> None:
    for rule in RULES:
        assert rule.viewer and rule.otherwise, rule.name


def test_the_golden_objects_are_the_same_at_every_building() -> None:
    first, again = made("oblique"), {each.profile.name: each for each in golden("oblique", cases()["oblique"])}
    assert first.keys() == again.keys() == set(PROFILES)
    for name, each in first.items():
        assert each.dataset == again[name].dataset, name
