"""The web process: it never loads torch, it listens on a real port, and it stops cleanly."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.engine import Sessions
from dicom_node.web.throttle import FREE_TRIES

PROGRAM = """
import json
import sys
from pathlib import Path
from db.engine import open_sessions
from db.local_files import LocalFiles
from dicom_node.web.app import create_app
from dicom_node.web.server import serve
from dicom_node.web.settings import Actions, WebSettings
folder = Path(sys.argv[1])
settings = WebSettings(token="t", port=0, data_dir=folder, **json.loads(sys.argv[3]))
app = create_app(settings, open_sessions(sys.argv[2]), LocalFiles(folder), Actions(echo=str))
serve(app, settings, ready=lambda port: print(port, flush=True))
print("torch" in sys.modules, flush=True)
"""


@contextmanager
def server(url: str, folder: Path, **settings: object) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A web process and its port."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder), url, json.dumps(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_ends_with_zero_on_a_signal(
    sessions: Sessions, database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    with server(database_url, tmp_path) as (process, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
            assert answer.status == 200
            assert "server" not in {name.lower() for name, _ in answer.headers.items()}
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "False"
        assert process.wait(timeout=30) == 0


def status(port: int, token: str, forwarded_for: str) -> int:
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": forwarded_for}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers), timeout=30
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "forged"),
    [
        ({}, "10.0.0.{}"),
        ({"behind_proxy": True, "proxy": "10.1.1.1"}, "10.0.0.{}"),  # it comes from elsewhere than the proxy
        ({"behind_proxy": True}, "10.0.0.{}, 10.9.9.9"),  # the proxy adds the address that it sees
    ],
)
def test_nobody_escapes_the_waiting_by_an_address_that_he_made_up(
    sessions: Sessions, database_url: str, tmp_path: Path, settings: dict[str, object], forged: str
) -> None:
    with server(database_url, tmp_path, **settings) as (_, port):
        answers = [status(port, "wrong", forged.format(number)) for number in range(FREE_TRIES + 1)]
    assert answers == [401] * FREE_TRIES + [429]


@pytest.mark.slow
def test_callers_of_the_proxy_wait_each_for_himself(sessions: Sessions, database_url: str, tmp_path: Path) -> None:
    with server(database_url, tmp_path, behind_proxy=True) as (_, port):
        for _ in range(FREE_TRIES):
            status(port, "wrong", "10.0.0.9")
        assert status(port, "t", "10.0.0.9") == 429
        assert status(port, "t", "10.0.0.10") == 200
