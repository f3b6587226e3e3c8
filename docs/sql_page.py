"""Write into docs/sql.md what the code and a node say: `python docs/sql_page.py [FOLDER]`, from the project's root.

The dictionary of the views comes from `db.dictionary`, the answer below each query from a small demo with an archive of
reports beside it; FOLDER is where that is made, or was made before.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from harvest_archive import make_archive  # noqa: E402
from harvest_worker import main as import_and_harvest  # noqa: E402

from db.dictionary import as_markdown  # noqa: E402
from db.engine import sqlite_url  # noqa: E402
from dicom_node.demo import DemoSettings, run_demo  # noqa: E402
from dicom_node.sql import query  # noqa: E402

PAGE = ROOT / "docs" / "sql.md"
ARCHIVE, DEMO = 40, {"studies": 18, "unseen": 1}
"""How many reports the archive holds; how large the demo is."""
VARYING = (8, 9, 10)
"""Numbers of the queries whose answers hang on a model or on the split's key."""

MADE = re.compile(r"(<!-- The dictionary .*? -->\n\n).*?(<!-- The end of the dictionary. -->\n)", re.DOTALL)
ASKED = re.compile(r"```sql\n(.*?)```\n\n(?:```text\n(.*?)```\n\n)?", re.DOTALL)


def with_dictionary(page: str) -> str:
    return MADE.sub(lambda found: f"{found[1]}{as_markdown()}\n{found[2]}", page)


def with_answers(page: str, answer: Callable[[str], str]) -> str:
    """The page with another answer below each query."""
    return ASKED.sub(lambda found: f"```sql\n{found[1]}```\n\n```text\n{answer(found[1])}```\n\n", page)


def asked(page: str) -> list[tuple[str, str]]:
    """Each query and the answer that the page gives."""
    return [(statement, answer) for statement, answer in ASKED.findall(page)]


def answered(url: str, statement: str) -> str:
    """A table as text, its columns one below the other."""
    columns, rows = query(url, statement)
    lines = [columns, *([shown(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [line_of(line, widths) for line in lines]
    return "\n".join([*table, *([] if rows else ["(no rows)"])]) + "\n"


def line_of(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def shown(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def add_archive(folder: Path) -> None:
    """Import an archive of reports into the node of a demo, and harvest it."""
    files = folder / "archive"
    files.mkdir()
    listed = folder / "archive.json"
    listed.write_text(json.dumps(list(map(str, make_archive(files, ARCHIVE)))))
    import_and_harvest(str(folder / "node.toml"), str(listed), "1")


def main(folder: Path) -> None:
    if not (folder / "node.toml").exists():
        run_demo(DemoSettings(folder, budget_minutes=1.0, **DEMO), lambda *_, **__: None)
    if not (folder / "archive").exists():
        add_archive(folder)
    url = sqlite_url(folder / "data")
    page = with_answers(with_dictionary(PAGE.read_text()), lambda statement: answered(url, statement))
    PAGE.write_text(page)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where the demo is made, or was made before")
    given = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as made:
        main(given or Path(made) / "demo")
