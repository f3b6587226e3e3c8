"""The web process: it never loads torch, it listens on a real port, and it stops cleanly."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from db.engine import Sessions

PROGRAM = """
import sys
from pathlib import Path
from db.engine import open_sessions
from db.local_files import LocalFiles
from dicom_node.web.app import create_app
from dicom_node.web.server import serve
from dicom_node.web.settings import Actions, WebSettings
folder = Path(sys.argv[1])
settings = WebSettings(token="t", port=0, data_dir=folder)
app = create_app(settings, open_sessions(sys.argv[2]), LocalFiles(folder), Actions(echo=str))
serve(app, settings, ready=lambda port: print(port, flush=True))
print("torch" in sys.modules, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_ends_with_zero_on_a_signal(
    sessions: Sessions, database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path), database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
            assert answer.status == 200
            assert "server" not in {name.lower() for name, _ in answer.headers.items()}
        process.send_signal(number)
        assert process.stdout.readline().strip() == "False"
        assert process.wait(timeout=30) == 0
