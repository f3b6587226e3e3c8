"""The import rules of docs/architecture.md, held against the code as it is."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ("db", "mining", "detector", "dicom_node")
FILES = [path for package in ORDER for path in sorted((ROOT / package).rglob("*.py"))]
BESIDE_THEM = [path for folder in ("tests", "benchmarks", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]
"""Not the migrations: what was released once is never changed, and the first one makes every table."""
TORCH_IN_MINING = {"mining/body.py", "mining/features.py"}
REPORT_MAY_IMPORT = {"db", "numpy", "pydicom", "highdicom", "PIL"}
"""PIL for the page that has everything burnt in: its text, its lines and its scaled slices."""
THE_ONE_BROAD_EXCEPT = "mining/reading.py"
MOST_LINES = 400


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def top(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_package_imports_only_what_stands_to_its_left(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    allowed = ORDER[: ORDER.index(package) + 1]
    assert {top(m) for m in imports(path)} & set(ORDER) <= set(allowed)


def test_there_is_no_import_circle() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
    graph = {name: {m for m in imports(path) if m in modules and m != name} for name, path in modules.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_torch_is_imported_only_where_networks_are() -> None:
    found = {name_of(p) for p in FILES if {top(m) for m in imports(p)} & {"torch", "torchvision", "timm"}}
    assert {name for name in found if not name.startswith("detector/")} <= TORCH_IN_MINING


def test_pynetdicom_is_imported_only_by_the_node() -> None:
    found = {name_of(p) for p in FILES if "pynetdicom" in {top(m) for m in imports(p)}}
    assert found
    assert all(name.startswith("dicom_node/") for name in found)


def test_the_engine_of_jobs_is_known_to_one_module() -> None:
    assert {name_of(p) for p in FILES if "dbos" in {top(m) for m in imports(p)}} == {"dicom_node/jobs.py"}


def test_the_report_builder_needs_no_node() -> None:
    for path in (ROOT / "dicom_node" / "report").glob("*.py"):
        foreign = {
            m
            for m in imports(path)
            if top(m) not in REPORT_MAY_IMPORT | set(sys.stdlib_module_names) and not m.startswith("dicom_node.report")
        }
        assert not foreign, f"{name_of(path)}: {foreign}"


@pytest.mark.parametrize("module", ["dicom_node.receive", "dicom_node.scp", "dicom_node.work"])
def test_receiving_and_the_worker_never_load_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'torchvision'}} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_receiving_loads_neither_highdicom_nor_scikit_learn() -> None:
    code = "import sys, dicom_node.receive; print(sorted({'highdicom', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_every_init_is_empty() -> None:
    assert [name_of(p) for p in FILES if p.name == "__init__.py" and p.read_text()] == []


def test_alembic_is_no_package() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


@pytest.mark.parametrize("path", FILES + BESIDE_THEM, ids=name_of)
def test_a_file_is_one_noun_or_one_step(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_there_is_one_broad_except() -> None:
    broad = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(
                    k is None or (isinstance(k, ast.Name) and k.id in ("Exception", "BaseException")) for k in kinds
                ):
                    broad.append(name_of(path))
    assert broad == [THE_ONE_BROAD_EXCEPT]


def test_no_grab_bag_modules() -> None:
    assert not {p.stem for p in FILES + BESIDE_THEM} & {"utils", "helpers", "common", "base"}
