"""dciodvfy, which comes with the tests' own packages, so that it is never missing."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

from pydicom import Dataset

PROGRAM = Path(sysconfig.get_path("scripts")) / "dciodvfy"


def said_of(path: Path) -> list[str]:
    """Every line about a file; it names the IOD at least."""
    checked = subprocess.run([PROGRAM, "-new", path], capture_output=True, text=True, check=False)
    said = (checked.stdout + checked.stderr).splitlines()
    assert said, "it said nothing"
    assert checked.returncode == 0 or any("Error" in line for line in said), "it failed without a word"
    return said


def errors_in(path: Path, iod: str = "") -> list[str]:
    """The lines that tell of an error. iod: what the file must be taken for."""
    said = said_of(path)
    assert any(iod in line for line in said), said
    return [line for line in said if "Error" in line]


def errors_of(ds: Dataset, folder: Path, iod: str = "") -> list[str]:
    """The same of an object, written into a folder."""
    path = folder / "object.dcm"
    ds.save_as(path, enforce_file_format=True)
    return errors_in(path, iod)
