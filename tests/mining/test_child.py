"""The child's side of the pipe: one order in, events out, and the end with the parent."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

PARENT_GONE = 75


def child(code: str) -> "subprocess.Popen[str]":
    program = "from mining import child\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_order_is_one_line_however_it_is_cut_and_the_events_are_one_line_each(tmp_path: Path) -> None:
    order = {"path": str(tmp_path), "text": "Ä\n" * 50_000}  # longer than a pipe holds
    process = child("""
        order = child.read_order()
        child.report("read", 1, 2, length=len(order["text"]), where=__import__("pathlib").Path(order["path"]))
        child.finish({"same": order["text"] == "Ä\\n" * 50_000})
    """)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()  # and the pipe stays open: the parent lives
        events = [json.loads(line) for line in process.stdout]
        errors = process.stderr.read()
    assert events == [
        {"step": "read", "done": 1, "total": 2, "length": 100_000, "where": str(tmp_path)},
        {"outcome": {"same": True}},
    ]
    assert (process.returncode, errors) == (0, "")


def test_a_child_whose_parent_is_gone_ends_at_once_with_the_status_that_says_try_again() -> None:
    process = child("""
        import time
        child.read_order()
        child.report("started", 0, 1)
        time.sleep(600)
    """)
    assert process.stdin is not None and process.stdout is not None
    with process:
        process.stdin.write("{}\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(20) == PARENT_GONE


def test_an_error_of_ours_is_one_event_and_status_1() -> None:
    process = child("""
        from db.errors import TrainingError
        def work(order):
            raise TrainingError("nothing to learn from", lesions=order["lesions"])
        child.run(work)
    """)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process:
        process.stdin.write('{"lesions": 0}\n')
        process.stdin.flush()  # and the pipe stays open: its end would be the parent's death
        out, errors = process.stdout.read(), process.stderr.read()
        process.wait(20)
    assert (process.returncode, json.loads(out), errors) == (1, {"error": "nothing to learn from (lesions=0)"}, "")


def test_a_lost_database_has_a_status_of_its_own_and_tells_no_value() -> None:
    process = child("""
        from sqlalchemy.exc import OperationalError
        def work(order):
            raise OperationalError("SELECT :name", {"name": "Doe^John"}, ConnectionError("Doe^John"))
        child.run(work)
    """)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process:
        process.stdin.write("{}\n")
        process.stdin.flush()
        out, errors = process.stdout.read(), process.stderr.read()
        process.wait(20)
    told = {"error": "the database did not answer: ConnectionError"}
    assert (process.returncode, json.loads(out), errors) == (69, told, "")
