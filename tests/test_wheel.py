"""The wheel: it holds what the node needs besides modules, and works where no checkout is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from dicom_node.database import newest_revision

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGES = ("db", "mining", "detector", "dicom_node", "alembic")
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_module_migration_template_and_picture(wheel: Path) -> None:
    with ZipFile(wheel) as content:
        found = {name for name in content.namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix().replace("alembic/", "dicom_node/migrations/", 1)
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } - {"dicom_node/migrations/README"}
    assert found == wanted
    for name in ("dicom_node/migrations/env.py", "dicom_node/migrations/script.py.mako", "db/py.typed"):
        assert name in found
    for folder in ("dicom_node/migrations/versions/", "dicom_node/web/templates/", "dicom_node/web/static/"):
        assert any(name.startswith(folder) for name in found), folder


def test_a_node_is_made_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    venv.create(home)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    # The libraries of this environment, but not its editable installation: a path in a .pth file is only a path.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(*command: str | Path) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DICOM_"))}
        ended = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    where = Path(run(python, "-c", "import dicom_node.cli; print(dicom_node.cli.__file__)").strip())
    assert where.is_relative_to(packages)
    program = home / "bin" / "dicom-node"
    assert "0.1.0" in run(program, "--version")
    run(program, "init", "--dir", "site")
    assert run(program, "db", "upgrade", "--config", "site/node.toml") == f"{newest_revision()}\n"
    assert run(program, "sql", "SELECT count(*) AS n FROM lesions", "--config", "site/node.toml") == "n\n0\n"
