"""The harvest of an archive in any order, by a process that is killed again and again, and what it leaves."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sqlalchemy import text

from db.engine import open_engine, sqlite_url
from db.models import LesionRow, SourceObject
from dicom_node.node import SITE_KEY

WORKER = Path(__file__).with_name("harvest_worker.py")
KEY = b"one key, for the split is made of it"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a worker dies: so long after it said a word so many times."""

    word: str
    times: int
    then_s: float


def moments(count: int, files: int, studies: int, seed: int) -> list[Moment]:
    """Chance decides, but in turn it falls into the import, into the settling and into the harvest."""
    rng = Random(seed)
    likely = (("import", files, 0.01), ("settling", 1, 0.003 * studies), ("harvested", max(1, studies // count), 0.05))
    turns = [likely[turn % len(likely)] for turn in range(count)]
    return [Moment(word, rng.randint(1, most), rng.uniform(0, then_s)) for word, most, then_s in turns]


@dataclass(frozen=True, slots=True)
class Site:
    """A node of its own: a folder with its configuration, and its database."""

    folder: Path
    url: str

    @classmethod
    def make(cls, folder: Path, url: str = "", migrated_sqlite: bytes = b"") -> Site:
        """url: a migrated database; empty for an SQLite file in the folder with this content."""
        data = folder / "data"
        data.mkdir(parents=True)
        (data / SITE_KEY).write_bytes(KEY)
        if not url:
            (data / "node.sqlite").write_bytes(migrated_sqlite)
        (folder / "node.toml").write_text(f'database_url = "{url}"\n')
        return cls(folder, url or sqlite_url(data))

    def remove_files(self) -> None:
        shutil.rmtree(self.folder)


def harvest(site: Site, paths: Sequence[Path], parts: int, kills: Sequence[Moment] = ()) -> int:
    """Let a worker do it all, killed at each of the moments until one has nothing left to do; how often it was.

    parts: in how many the files come; each is settled and harvested before the next.
    Raises AssertionError if a worker ends in another way.
    """
    listed = site.folder / "files.json"
    listed.write_text(json.dumps(list(map(str, paths))))
    for killed, moment in enumerate((*kills, None)):
        ended = _one_life(site, listed, parts, moment)
        if ended == 0:
            return killed
        assert ended == -signal.SIGKILL and moment is not None, (site.folder / "worker.log").read_text()
    raise AssertionError("the last worker has no moment to die at")


def _one_life(site: Site, listed: Path, parts: int, moment: Moment | None) -> int:
    command = [sys.executable, "-P", WORKER, site.folder / "node.toml", listed, str(parts)]
    with (
        (site.folder / "worker.log").open("ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as worker,
    ):
        assert worker.stdout is not None
        said = 0
        for line in worker.stdout:
            said += moment is not None and line.startswith(moment.word)
            if moment is not None and said == moment.times:
                time.sleep(moment.then_s)
                worker.kill()
                break
        return worker.wait(600)


def dump(url: str, view: str = "lesions", without: Sequence[str] = (), order: str = "lesion_id") -> bytes:
    """A view as text, a line a row; the same bytes for the same rows on either database."""
    types = {c.name: c.type for model in (SourceObject, LesionRow) for c in model.__table__.columns}
    engine = open_engine(url)
    with engine.connect() as connection:
        every = connection.execute(text(f"SELECT * FROM {view} LIMIT 0")).keys()
        columns = [name for name in every if name not in without]
        query = text(f"SELECT {', '.join(columns)} FROM {view} ORDER BY {order}")
        typed = query.columns(**{name: types[name] for name in columns if name in types})
        rows = [tuple(row) for row in connection.execute(typed)]
    engine.dispose()
    return "".join(f"{row!r}\n" for row in rows).encode()
