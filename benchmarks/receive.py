"""C-STORE into the node against dcmtk's storescp: the same sender, the same files, the same run.

The node answers Success only when file and row are durable; storescp neither syncs nor indexes. Printed: instances a
second (median of three runs, interleaved), the ratio, and the receiving process's memory.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_node.demo import free_port
from dicom_node.phantom.study import make_study

INSTANCES, ROUNDS = 200, 3


def main() -> None:
    if not shutil.which("storescp"):
        print("dcmtk is missing: no peer to compare with")
        return
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        count = make_images(folder / "sent")
        rates: dict[str, list[float]] = {"storescp": [], "node": []}
        for turn in range(ROUNDS):
            with storescp(folder / f"peer{turn}") as port:
                rates["storescp"].append(count / send(folder / "sent", "STORESCP", port))
            with node(folder / f"node{turn}") as (port, pid):
                rates["node"].append(count / send(folder / "sent", "LESION_NODE", port))
                memory = peak_mb(pid)
        ours, peer = (statistics.median(rates[name]) for name in ("node", "storescp"))
        print(f"node      {ours:7.0f} instances/s, durable; receiving process {memory:.0f} MB at its peak")
        print(f"storescp  {peer:7.0f} instances/s, neither synced nor indexed")
        print(f"ratio     {ours / peer:7.2f}")


def make_images(folder: Path) -> int:
    folder.mkdir()
    index = count = 0
    while count < INSTANCES:
        for ds in make_study(1, index).images:
            ds.save_as(folder / f"{count:04d}.dcm", enforce_file_format=True)
            count += 1
        index += 1
    return count


def send(folder: Path, called: str, port: int) -> float:
    started = time.perf_counter()
    command = [
        "storescu",
        "-pdu",
        "131072",
        "-aet",
        "BENCH",
        "-aec",
        called,
        "+sd",
        "127.0.0.1",
        str(port),
        str(folder),
    ]
    subprocess.run(command, check=True, env={**os.environ, "TCP_NODELAY": "1"})
    return time.perf_counter() - started


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(
        ["storescp", "--fork", "-aet", "STORESCP", "-od", str(folder), "-pdu", "131072", str(port)],
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    try:
        wait_for_echo("STORESCP", port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def node(folder: Path) -> Iterator[tuple[int, int]]:
    folder.mkdir()
    port = free_port()
    config = folder / "node.toml"
    config.write_text(f'[dicom]\nport = {port}\n[[peers]]\nname = "bench"\nae_title = "BENCH"\n')
    cli = [sys.executable, "-m", "dicom_node.cli"]
    subprocess.run([*cli, "db", "upgrade", "--config", str(config)], check=True, stdout=subprocess.DEVNULL)
    command = [*cli, "serve", "--role", "receive", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_echo("LESION_NODE", port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def wait_for_echo(called: str, port: int) -> None:
    command = ["echoscu", "-aet", "BENCH", "-aec", called, "127.0.0.1", str(port)]
    for _ in range(200):
        if subprocess.run(command, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit(f"{called} does not answer")


def peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell a process's memory")


if __name__ == "__main__":
    main()
