"""Section [report] of node.toml: the words of a site and their codes, and what is refused with what is allowed."""

from pathlib import Path

import pytest
from test_config import refusal, written

from db.codes import Code
from dicom_node.config import Config, load_config
from dicom_node.config_report import Report
from dicom_node.config_template import template
from dicom_node.report.concepts import BUILT_IN, LESION

NODULE = Code("27925004", "SCT", "Nodule")
LUNG = Code("39607008", "SCT", "Lung")

FULL = """
[[report.codes]]
word = "Pulmonary  Nodule"
finding = "27925004 | SCT | Nodule"
site = "39607008|SCT|Lung"
[[report.codes]]
word = "cyst"
finding = "A-1|99SITE|Cyst of this house"
[[report.codes]]
word = "segment IV"
site = "10200004|SCT|Liver"
"""


def test_without_the_section_only_the_built_in_words_are_known() -> None:
    assert Config().report == Report()
    assert BUILT_IN.extended({}, {}) == BUILT_IN


def test_the_words_of_a_site_stand_over_the_built_in_ones(tmp_path: Path) -> None:
    report = load_config(written(tmp_path, FULL), {}).report
    table = BUILT_IN.extended(report.findings, report.sites)
    found = table.codes_of("pulmonary nodule, calcified")
    assert (found.finding, found.site) == (NODULE, LUNG)
    assert table.codes_of("liver cyst").finding == Code("A-1", "99SITE", "Cyst of this house")
    assert table.codes_of("liver cyst").site == BUILT_IN.sites["liver"]
    assert table.codes_of("Segment-IV lesion").site == Code("10200004", "SCT", "Liver")
    assert table.codes_of("segment V").finding == LESION
    assert BUILT_IN.codes_of("liver cyst").finding.meaning == "Cyst", "the built-in table stays as it was"


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ('word = "x"\nfinding = "27925004|SCT"', 'report.codes.1.finding = "27925004|SCT"', '"value|scheme|meaning"'),
        ('word = "x"\nsite = "12345678901234567|SCT|Lung"', "report.codes.1.site", "16, 16 and 64"),
        (f'word = "x"\nsite = "1|SCT|{"L" * 65}"', "report.codes.1.site", "16, 16 and 64"),
        ('word = "x"\nsite = "1|S\\\\T|Lung"', "report.codes.1.site", "27925004|SCT|Nodule"),
        ('word = "x"\nsite = "1||Lung"', "report.codes.1.site", "27925004|SCT|Nodule"),
        ('word = " - "\nsite = "1|SCT|Lung"', 'report.codes.1.word = " - "', "a letter or a digit"),
        ('word = "x"', "report.codes.1", "needs a finding, a site or both"),
        ('word = "x"\nplace = "1|SCT|Lung"', "report.codes.1.place", "word, finding, site"),
        ('site = "1|SCT|Lung"', "report.codes.1.word", "required"),
    ],
)
def test_a_wrong_code_is_named_with_what_is_allowed(tmp_path: Path, text: str, key: str, allowed: str) -> None:
    message = refusal(tmp_path, f"[[report.codes]]\n{text}")
    assert key in message
    assert allowed in message


def test_what_init_shows_becomes_a_word_when_the_marks_are_taken_away(tmp_path: Path) -> None:
    lines = template("secret").split("# [[report.codes]]\n")[1].split("\n\n")[0].splitlines()
    values = [line.removeprefix("# ") for line in lines if " = " in line]
    report = load_config(written(tmp_path, "\n".join(["[[report.codes]]", *values])), {}).report
    assert (report.findings, report.sites) == ({"pulmonary nodule": NODULE}, {"pulmonary nodule": LUNG})
