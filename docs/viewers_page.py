"""Write the table of rules into docs/viewers.md: `make conformance`, from the project's root."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from conformance_page import table, with_tables  # noqa: E402

from dicom_node.viewer_rules.rule import Rule  # noqa: E402
from dicom_node.viewer_rules.table import RULES, profiles_of  # noqa: E402

PAGE = ROOT / "docs" / "viewers.md"


def rules() -> str:
    return table(("rule", "viewer", "of", "source", "if it is broken"), [line(rule) for rule in RULES])


def line(rule: Rule) -> list[str]:
    viewer = f"{rule.viewer} {rule.version}".strip()
    names = "all" if profiles_of(rule) == profiles_of(RULES[0]) else ", ".join(f"`{n}`" for n in profiles_of(rule))
    return [rule.name, viewer, names, rule.source, rule.otherwise]


TABLES = {"rules": rules}


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(), TABLES))
