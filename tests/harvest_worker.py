"""Import, settle and harvest a list of files, in parts: `python harvest_worker.py node.toml LIST PARTS`.

Says a word for each file and each study, so that who watches can end it by SIGKILL at any moment; started
again, it begins with the first file and goes on with what is undone. LIST: a JSON array of paths.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from db.engine import reading, utc_now
from db.models import Study
from dicom_node.config import load_config
from dicom_node.importing import import_paths
from dicom_node.node import Node
from dicom_node.receive import open_store
from dicom_node.settle import settle_due
from mining.harvest import harvest_study


def say(*words: object, **_: object) -> None:
    print(*words, flush=True)


def refused(path: Path, why: str) -> None:
    raise SystemExit(f"{path} was not taken: {why}")


def settle_and_harvest(node: Node) -> None:
    """What the worker of a node does once all is quiet, without its jobs."""
    say("settling")
    while settle_due(node.sessions, node.files, utc_now(), timedelta(0), node.site_key(), lambda *_: None, set()):
        say("settling")
    with reading(node.sessions) as session:
        undone = select(Study.study_instance_uid).where(Study.harvested_revision < Study.revision)
        studies = list(session.scalars(undone.order_by(Study.study_instance_uid)))
    for uid in studies:
        harvest_study(node.sessions, uid, node.files)
        say("harvested", uid)


def main(config_path: str, listed: str, parts: str) -> None:
    config = load_config(Path(config_path), {})
    node, store = Node.open(config), open_store(config)
    paths = [Path(path) for path in json.loads(Path(listed).read_text())]
    size = -(-len(paths) // int(parts))
    for start in range(0, len(paths), size):
        import_paths(store, paths[start : start + size], say, refused)
        settle_and_harvest(node)


if __name__ == "__main__":
    main(*sys.argv[1:])
