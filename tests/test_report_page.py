"""The example of docs/report.md runs as it stands, and needs no node."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from builders import ct_series
from pydicom import dcmread

from dicom_node.viewer_rules.rule import Expected
from dicom_node.viewer_rules.table import rules_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "report.md").read_text(), re.DOTALL)
NEEDS_A_DETECTION = {"points in place", "lesions drawn", "voxels in place"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example ran, over a series of slices that lie in the wrong order by name."""
    made = tmp_path_factory.mktemp("example")
    (made / "ct").mkdir()
    for number, ds in enumerate(reversed(ct_series(9))):
        ds.save_as(made / "ct" / f"{number}.dcm", enforce_file_format=True)
    (made / "example.py").write_text(
        EXAMPLE + "\nimport sys\nprint(*sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    ran = subprocess.run([sys.executable, "example.py"], cwd=made, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (made / "modules.txt").write_text(ran.stdout)
    return made


def test_it_is_about_ten_lines() -> None:
    statements = [line for line in EXAMPLE.splitlines() if line and not line.startswith((" ", "from", "import", ")"))]
    assert len(statements) <= 12


def test_it_writes_the_three_objects_of_one_study(folder: Path) -> None:
    made = {path.stem: dcmread(path) for path in folder.glob("*.dcm")}
    assert sorted((name, ds.Modality) for name, ds in made.items()) == [("gsps", "PR"), ("ohif", "SR"), ("seg", "SEG")]
    assert {ds.StudyInstanceUID for ds in made.values()} == {ct_series(1)[0].StudyInstanceUID}


def test_what_it_writes_keeps_the_rules_of_the_viewers(folder: Path) -> None:
    images = tuple(sorted((dcmread(path) for path in (folder / "ct").glob("*.dcm")), key=lambda ds: ds.InstanceNumber))
    for path in folder.glob("*.dcm"):
        ds = dcmread(path)
        broken = {
            rule.name: faults
            for rule in rules_for(path.stem)
            if rule.name not in NEEDS_A_DETECTION and (faults := list(rule.faults(ds, Expected(images))))
        }
        assert broken == {}, path.stem


def test_it_loads_neither_network_nor_database_nor_torch(folder: Path) -> None:
    loaded = set((folder / "modules.txt").read_text().split())
    assert {"db", "dicom_node", "pydicom", "highdicom", "numpy"} <= loaded
    assert loaded & {"pynetdicom", "sqlalchemy", "torch", "dbos", "pydantic", "alembic", "matplotlib"} == set()
