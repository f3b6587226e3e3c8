"""Thousands of reports through `dicom-node import`: its memory, the same again, and one that was killed on its way.

The importing process is watched from outside: its resident memory at each step, and the slope of it, which says what
an archive of a hundred thousand reports would take. Then the same files again, and on another node an import that ends
by SIGKILL half-way and is started once more: both must hold the same instances.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from itertools import count, islice
from pathlib import Path

import numpy as np
from pydicom import Dataset

from dicom_node.phantom.study import make_study

REPORTS, STEP, OF_STUDY, ARCHIVE, MODELS = 8_000, 500, 10, 100_000, 4
WARM = 0.5
"""This share of the run is left out of the slope: SQLite fills its cache, of 2 MB, on the way."""
NUMBER, STUDY = "4000000", "5000000"
"""What stands in the UIDs of the model of all files, in place of a number of as many digits."""
CLI = [sys.executable, "-m", "dicom_node.cli"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=REPORTS)
    reports = parser.parse_known_args()[0].reports
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        mean = make_reports(folder / "reports", reports)
        print(f"{reports} reports of {mean / 1024:.0f} KiB on average, {OF_STUDY} a study")
        config = node(folder / "node")
        started = time.perf_counter()
        steps = watched_import(config, folder / "reports")
        took = time.perf_counter() - started
        print(f"imported {reports / took:.0f}/s; resident memory in MB by reports:")
        print("  " + "  ".join(f"{done}: {kb / 1024:.1f}" for done, kb in steps))
        slope = slope_kb(steps)
        more_mb = slope * ARCHIVE / 1000 / 1024
        print(f"slope of the second half {slope:.1f} kB for 1,000 reports, {more_mb:.1f} MB for {ARCHIVE}")
        started = time.perf_counter()
        print(
            f"the same again: {imported(config, folder / 'reports')}, {reports / (time.perf_counter() - started):.0f}/s"
        )
        other = node(folder / "other")
        print(f"killed after {killed_half_way(other, folder / 'reports', reports // 2)}, then: ", end="")
        print(imported(other, folder / "reports"))
        same = instances(config) == instances(other)
        print(f"{len(instances(other))} instances on either node, {'the same' if same else 'NOT the same'}")


def make_reports(folder: Path, reports: int) -> float:
    """Reports of simulated readers under UIDs of their own, a thousand a folder; the mean size in bytes."""
    models = list(islice(reports_of_phantoms(), MODELS))
    total = 0
    for n in range(reports):
        content = models[n % len(models)]
        content = content.replace(NUMBER.encode(), b"4%06d" % n).replace(STUDY.encode(), b"5%06d" % (n // OF_STUDY))
        path = folder / f"{n // 1000:03d}" / f"{n:06d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        total += len(content)
    return total / reports


def reports_of_phantoms() -> Iterator[bytes]:
    """SRs as files, with the two numbers in their UIDs."""
    for index in count():
        for report in make_study(1, index).reports:
            if report.Modality == "SR":
                yield as_model(report)


def as_model(report: Dataset) -> bytes:
    root = "1.2.826.0.1.3680043.10.40"
    report.StudyInstanceUID = f"{root}.{STUDY}"
    report.SeriesInstanceUID = f"{root}.{STUDY}.{NUMBER}"
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = f"{root}.{STUDY}.{NUMBER}.1"
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def node(folder: Path) -> Path:
    """The configuration of a new node."""
    folder.mkdir()
    config = folder / "node.toml"
    config.write_text("")
    subprocess.run([*CLI, "db", "upgrade", "--config", config], check=True, stdout=subprocess.DEVNULL)
    return config


def start(config: Path, reports: Path) -> subprocess.Popen[str]:
    command = [*CLI, "import", reports, "--config", config]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def imported(config: Path, reports: Path) -> str:
    """What an import says at its end."""
    with start(config, reports) as process:
        said = process.communicate()[0].strip()
    assert process.returncode == 0, said
    return said


def watched_import(config: Path, reports: Path) -> list[tuple[int, int]]:
    """(reports stored, resident kB) at each step of an import, and at its end."""
    steps: list[tuple[int, int]] = []
    with start(config, reports) as process:
        for done, kb in watch(process, config):
            if not steps or done >= steps[-1][0] + STEP:
                steps.append((done, kb))
        assert process.wait() == 0
    return steps


def killed_half_way(config: Path, reports: Path, half: int) -> int:
    """How many reports an import had stored when it was killed."""
    with start(config, reports) as process:
        for done, _ in watch(process, config):
            if done >= half:
                process.kill()
                break
        assert process.wait() == -signal.SIGKILL
    return len(instances(config))


def watch(process: subprocess.Popen[str], config: Path) -> Iterator[tuple[int, int]]:
    """(reports stored, resident kB) as long as the process lives, from its first report on."""
    with sqlite3.connect(f"file:{database_of(config)}?mode=ro", uri=True) as connection:
        while process.poll() is None:
            (done,) = connection.execute("SELECT coalesce(max(instance_pk), 0) FROM instance").fetchone()
            kb = resident_kb(process.pid)
            if done and kb:
                yield done, kb
            time.sleep(0.02)
    connection.close()


def resident_kb(pid: int) -> int:
    """0 for a process that has just ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def database_of(config: Path) -> Path:
    return config.parent / "data" / "node.sqlite"


def instances(config: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(f"file:{database_of(config)}?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT sop_instance_uid, content_sha256 FROM instance ORDER BY 1, 2").fetchall()
    connection.close()
    return found


def slope_kb(steps: list[tuple[int, int]]) -> float:
    """kB for each 1,000 reports, by least squares over the later steps."""
    done, kb = np.array([step for step in steps if step[0] >= WARM * steps[-1][0]], float).T
    return float(1000 * np.polyfit(done, kb, 1)[0])


if __name__ == "__main__":
    main()
