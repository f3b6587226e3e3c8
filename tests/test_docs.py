"""The documentation says what is there: commands, links, queries, columns, keys, licences, import rules."""

import re
import runpy
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel

from db import models, outcomes
from db.tables import Base
from dicom_node.cli import main
from dicom_node.config import BUILT_PROFILES, Config
from dicom_node.sql import query

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SQL = (ROOT / "docs" / "sql.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", SQL, re.DOTALL)
SQL_PAGE = runpy.run_path(str(ROOT / "docs" / "sql_page.py"))
KEYED_PAGES = ("operations.md", "security.md", "conformance.md", "decisions.md", "architecture.md", "sql.md")
TABLES_OF_PAGE = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- commands ---------------------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[list[str]]:
    """The words behind each `dicom-node` that stands as a command: in backticks, or in an indented line."""
    for code in re.findall(r"`([^`]*)`|^ {4}(.+)$", page.read_text(), re.MULTILINE):
        for words in re.findall(r"(?:^|/|= ?)dicom-node((?: [^\s`]+)*)", code[0] or code[1]):
            if words:
                yield words.split()


def path_of(words: list[str]) -> list[str]:
    """The names of the groups and the command among the words. Raises KeyError with the first unknown one."""
    command: click.Command = main
    found: list[str] = []
    for word in words:
        if not isinstance(command, click.Group):
            break
        if word.startswith("-"):
            assert word in {opt for param in command.params for opt in param.opts} | {"--help"}, word
            continue
        if word not in command.commands:
            raise KeyError(word)
        command = command.commands[word]
        found.append(word)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_named_exists(page: Path) -> None:
    for words in commands(page):
        assert path_of(words), words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_option_that_is_named_exists(page: Path) -> None:
    for words in commands(page):
        command: click.Command = main
        for name in path_of(words):
            assert isinstance(command, click.Group)
            command = command.commands[name]
        known = {opt for param in (*main.params, *command.params) for opt in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(KeyError, match="forget"):
        path_of(["forget", "PATIENT"])
    with pytest.raises(KeyError, match="remove"):
        path_of(["models", "remove"])


def test_the_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for code in re.findall(r"`([^`]*)`|^ {4}(.+)$", page.read_text(), re.MULTILINE):
            for target in re.findall(r"^make (\w+)", code[0] or code[1]):
                assert target in targets, f"{name_of(page)}: make {target}"


# --- links ------------------------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """As the usual renderers make it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_and_picture_is_there(page: Path) -> None:
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, part = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.is_file(), target
        assert linked.is_relative_to(ROOT), target
        if part:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert part in {anchor(heading) for heading in headings}, target


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\(((?:docs/)?[\w.]+\.md)\)", (ROOT / "README.md").read_text()))
    assert {name_of(page) for page in PAGES} - {"README.md"} <= linked


# --- SQL --------------------------------------------------------------------------------------------------------


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("statement", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_every_query_runs_on_an_empty_node(any_url: str, statement: str) -> None:
    columns, rows = query(any_url, statement)
    assert len(columns) >= 3
    assert rows == []


def test_the_dictionary_is_that_of_the_code() -> None:
    assert SQL_PAGE["with_dictionary"](SQL) == SQL, "write it again with `make sql`"


def test_a_dictionary_of_older_code_is_noticed() -> None:
    older = SQL.replace("| `patient_id` | text |", "| `patient_id` | number |")
    assert older != SQL == SQL_PAGE["with_dictionary"](older)


def test_every_query_has_an_answer_with_its_columns(database_url: str) -> None:
    answers = SQL_PAGE["asked"](SQL)
    assert [statement for statement, _ in answers] == QUERIES
    for statement, answer in answers:
        header, *rows = answer.splitlines()
        assert header.split() == query(database_url, statement)[0]
        assert rows and rows != ["(no rows)"], "an answer that shows nothing"


def test_every_state_of_a_view_is_named() -> None:
    for table in (models.Study, outcomes.Analysis, outcomes.Delivery, outcomes.Model, outcomes.Assessment):
        for constraint in table.__table_args__:
            for word in re.findall(r"'([a-z ]+)'", str(getattr(constraint, "sqltext", ""))):
                word = {"found": "findings", "none found": "none"}.get(word, word)  # as the view says it
                assert f"`{word}`" in SQL, f"{table.__tablename__}: {word}"


# --- configuration ----------------------------------------------------------------------------------------------


def section_of(name: str) -> Any:
    """The model behind a section's name; of `peers` that of one peer."""
    annotation = Config.model_fields[name].annotation
    return next(iter(get_args(annotation)), annotation)


SECTION_NAMES = [name for name in Config.model_fields if isinstance(section_of(name), type)]
SECTION_NAMES = [name for name in SECTION_NAMES if issubclass(section_of(name), BaseModel)]


@pytest.mark.parametrize("page", KEYED_PAGES)
def test_every_key_that_is_named_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for section, key in re.findall(rf"`(?:[^`\n]*[^`\w./])?({'|'.join(SECTION_NAMES)})\.(\w+)", text):
        is_file = key in ("py", "md") or (ROOT / section / f"{key}.py").exists()
        if not is_file:
            assert key in section_of(section).model_fields, f"{section}.{key}"


@pytest.mark.parametrize("page", KEYED_PAGES)
def test_every_default_that_is_named_is_the_default(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for section, key, value in re.findall(r"`(\w+)\.(\w+)`,? \(?default `?(\w+)", text):
        assert str(section_of(section).model_fields[key].default) == value, f"{section}.{key}"


def test_operations_names_the_keys_that_a_site_sets() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    for key in ("dicom.host", "dicom.ae_title", "peers.analyse", "peers.mode", "settle.quiet_s", "web.token_file"):
        assert f"`{key}`" in text


def test_environment_variables_that_are_named_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"DICOM_NODE_([A-Z_]+)", page.read_text()):
            section, _, key = name.lower().rpartition("__")
            fields = section_of(section).model_fields if section else Config.model_fields
            assert key in {*fields, "config"}, name


def test_the_configuration_of_the_readme_is_accepted(tmp_path: Path) -> None:
    from dicom_node.config import load_config

    lines = re.findall(r"^ {8}(\S.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    (tmp_path / "node.toml").write_text("\n".join(lines))
    (peer,) = load_config(tmp_path / "node.toml", {}).peers
    assert (peer.name, peer.mode, peer.analyse) == ("PACS", "hold", True)


def test_every_profile_stands_in_the_conformance_statement() -> None:
    text = (ROOT / "docs" / "conformance.md").read_text()
    for profile in BUILT_PROFILES:
        assert f"`{profile}`" in text


# --- architecture and licences ----------------------------------------------------------------------------------


def test_the_architecture_names_every_table() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().split("## Tables")[1].split("##")[0]
    assert sorted(TABLES_OF_PAGE.findall(text)) == sorted(Base.metadata.tables)


def asked_for() -> set[str]:
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    texts = (setup["options"]["install_requires"], extras["postgres"], extras["weights"])
    lines = [line for text in texts for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def listed() -> dict[str, str]:
    """Distribution → its line in licences.md."""
    text = (ROOT / "docs" / "licences.md").read_text()
    return {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if re.match(r"\| [a-z]", line)}


def test_every_requirement_stands_among_the_licences() -> None:
    assert asked_for() <= set(listed())


def test_no_licence_is_the_gpl() -> None:
    assert "pylibjpeg-libjpeg" not in listed()
    assert not [line for line in listed().values() if "**GPL" in line]


def test_the_script_tells_the_gpl_from_the_lgpl() -> None:
    is_gpl = runpy.run_path(str(ROOT / "docs" / "licences.py"))["is_gpl"]
    for name in ("GPL-3.0-only", "AGPL-3.0", "MIT AND GPL-2.0", "GNU General Public License v3 (GPLv3)"):
        assert is_gpl(name), name
    for name in ("LGPL-3.0-only", "GNU Lesser General Public License v3", "MIT", "Apache-2.0"):
        assert not is_gpl(name), name
