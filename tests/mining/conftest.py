"""A node for the tests of the harvest."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harvest_node import Folder, Node

from db.engine import Sessions


@pytest.fixture
def node(sessions: Sessions, tmp_path: Path) -> Iterator[Node]:
    with sessions() as session:
        yield Node(session, Folder(tmp_path))
