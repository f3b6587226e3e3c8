"""A CSV file of any encoding and any order gives its rows by study, and loses only the lines that are broken."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.errors import ContentError
from dicom_node.bookmark_export import MAX_LINE, objects_of
from mining.readers.encapsulated import encapsulated
from mining.settings import BookmarkColumns

ONE, TWO = "1.2.1", "1.2.2"
COLUMNS = BookmarkColumns({"Study": "study", "Image": "image", "Line": "points", "When": "measured_at"})
HEADER = "Study,Image,Line,When"


def read(
    path: Path, content: str | bytes, columns: BookmarkColumns = COLUMNS, encoding: str = "utf-8"
) -> tuple[dict[str, str], dict[int, str]]:
    """Study → what its object holds; line → why it was refused."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    refused: dict[int, str] = {}

    def on_line(number: int, reason: str) -> None:
        assert number not in refused
        refused[number] = reason

    objects = list(objects_of(path, columns, lambda image, series: ONE if image == "known" else "", on_line))
    return {str(ds.StudyInstanceUID): (encapsulated(ds) or b"").decode() for ds in objects}, refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.csv"


def test_rows_of_one_study_come_together_whatever_their_order(path: Path) -> None:
    rows = [f"{TWO},b,1 2 3 4,", f"{ONE},a,1 2 3 4,", f"{TWO},a,1 2 3 4,"]
    first = read(path, "\n".join([HEADER, *rows]))
    assert first == read(path, "\r\n".join([HEADER, *reversed(rows)]) + "\r\n")
    assert first[0] == {
        ONE: f"sep=,\n{HEADER}\n{ONE},a,1 2 3 4,\n",
        TWO: f"sep=,\n{HEADER}\n{TWO},a,1 2 3 4,\n{TWO},b,1 2 3 4,\n",
    }
    assert not first[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_the_encoding_is_found(path: Path, encoding: str) -> None:
    objects, refused = read(path, f"{HEADER}\n{ONE},Müller,1 2,\n", encoding=encoding)
    assert objects == {ONE: f"sep=,\n{HEADER}\n{ONE},Müller,1 2,\n"}
    assert not refused


def test_the_line_that_excel_puts_first_names_the_separator(path: Path) -> None:
    objects, _ = read(path, f"sep=;\nStudy;Image;Line;When\n{ONE};a;1 2;\n")
    assert objects == {ONE: f"sep=;\nStudy;Image;Line;When\n{ONE};a;1 2;\n"}


def test_a_quoted_cell_may_hold_what_separates(path: Path) -> None:
    row = f'{ONE},"a,""b""","1 2\n3 4",\n'
    objects, refused = read(path, f"{HEADER}\n{row}")
    assert objects[ONE].endswith(row)
    assert not refused


def test_a_broken_row_costs_itself(path: Path) -> None:
    good = [f"{ONE},a{n},1 2," for n in range(60)]
    lines = [HEADER, *good[:20], f'{ONE},"open,1 2,', *good[20:40], f"{ONE},short", "x" * (MAX_LINE + 9), *good[40:]]
    lines += [",unknown,1 2,", ",known,1 2,", "the study,a,1 2,", ""]
    objects, refused = read(path, "\n".join(lines))
    assert objects[ONE].count("\n") == 2 + len(good) + 1
    assert set(objects) == {ONE}
    assert set(refused) == {22, 43, 44, 65, 67}
    assert refused[22] == "a quotation mark is not closed"
    assert refused[43] == "the row has 2 cells, and the file names 4 columns"
    assert "send the images first" in refused[65]
    assert refused[67] == "there is no valid Study Instance UID"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("Study,Image\n1,2\n", "lacks columns .* Line, When"),
        ("\0\1\2", "lacks columns"),
    ],
)
def test_a_file_that_is_not_what_the_table_describes_is_refused(path: Path, content: str, reason: str) -> None:
    with pytest.raises(ContentError, match=reason):
        read(path, content)


def test_the_latest_measurement_is_the_moment_of_the_object(path: Path) -> None:
    path.write_text(f"{HEADER}\n{ONE},a,1 2,2026-03-02 10:00\n{ONE},b,1 2,2026-03-01 10:00\n{ONE},c,1 2,some day\n")
    (ds,) = objects_of(path, COLUMNS, lambda image, series: "", lambda number, reason: None)
    assert (ds.ContentDate, ds.ContentTime) == ("20260302", "100000")


def test_a_study_of_very_many_rows_is_several_objects(path: Path) -> None:
    path.write_text(HEADER + "\n" + "".join(f"{ONE},a{n:06},1 2,\n" for n in range(12_000)))
    objects = list(objects_of(path, COLUMNS, lambda image, series: "", lambda number, reason: None))
    assert len(objects) == 3
    assert len({ds.SOPInstanceUID for ds in objects}) == 3
    assert sum((encapsulated(ds) or b"").count(b"\n") - 2 for ds in objects) == 12_000


@pytest.mark.slow
def test_a_long_file_needs_no_more_memory_than_a_short_one(path: Path) -> None:
    peaks = []
    for rows in (20_000, 200_000):
        with path.open("w") as file:
            file.write(HEADER + "\n")
            file.writelines(f"1.2.{n % 997},1.9.{n},{n % 50} 2 3 4,\n" for n in range(rows))
        tracemalloc.start()
        count = sum(1 for _ in objects_of(path, COLUMNS, lambda image, series: "", lambda number, reason: None))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 997
    assert peaks[1] < peaks[0] + (2 << 20)


PIECES = st.one_of(
    st.binary(max_size=5),
    st.sampled_from(
        [b'"', b",", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'sep="\n', b"sep=\t\n", b'""', b"x" * 70_000]
    ),
)
EXPORT = f'{HEADER}\n{ONE},a,"1 2; 3 4",2026-03-01\n{TWO},b,5 6,\n{ONE},"c\nd",7 8,\n'.encode()


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), min_size=1, max_size=8))
def test_no_change_of_a_file_does_more_than_refuse_lines_or_the_file(
    path: Path, changes: list[tuple[float, int, bytes]]
) -> None:
    changed = bytearray(EXPORT)
    for where, length, piece in changes:
        at = int(where * len(changed))
        changed[at : at + length] = piece
    try:
        objects, refused = read(path, bytes(changed))
    except ContentError:
        return
    assert all(study and content.startswith("sep=") for study, content in objects.items())
    assert all(refused.values())
