"""docs/harvest.md from what really comes out: the tables of the dialects and of other writers' objects."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from dialect import Dialect
from harvest_node import Node
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import select

from db.models import LesionRow, Rejection
from mining.content_tree import read_tree
from mining.readers.by_class import reader_for

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
DOCUMENT = ROOT / "docs" / "harvest.md"

DIALECT_HEAD = "| dialect | kind | root | where the drawing stands | codes | units | images | what comes out |"
WRITER_HEAD = "| object | written by | kind | what comes out | rejected | judge |"


def section(name: str, text: str) -> str:
    """What stands between the marks of a generated section."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    assert match is not None, f"docs/harvest.md has no section {name}"
    return match[1]


def with_section(name: str, text: str, content: str) -> str:
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    return text.replace(begin + section(name, text) + end, begin + content + end)


def table(head: str, lines: Iterator[str] | list[str]) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *lines]) + "\n"


# --- dialects ---------------------------------------------------------------------------------------------------


def dialect_line(node: Node, dialect: Dialect) -> str:
    """Harvest a dialect and say what came out; leaves the node empty."""
    node.receive(*dialect.objects())
    node.harvest(settings=dialect.settings)
    out = outcome(node)
    node.session.rollback()
    cells = (dialect.name, dialect.kind, dialect.root, dialect.place, dialect.codes, dialect.units, dialect.orientation)
    return "| " + " | ".join((*cells, out)) + " |"


def outcome(node: Node) -> str:
    """The rows as lengths, and the rejections as their codes."""
    query = select(LesionRow).order_by(LesionRow.sop_instance_uid, LesionRow.source_item)
    said = counted(map(row_text, rows(node, query))) + counted(sorted(f"`{code}`" for _, code in node.rejections()))
    return "; ".join(said) or "nothing"


def counted(texts: Iterable[str]) -> list[str]:
    """Each text once, and how often it stands there."""
    return [f"{text} ({count} times)" if count > 1 else text for text, count in Counter(texts).items()]


def rows(node: Node, query: object) -> list[LesionRow]:
    return list(node.session.scalars(query))  # type: ignore[call-overload]


def row_text(row: LesionRow) -> str:
    if row.long_axis_px is None:
        text = "a key image" if row.point_x is None else "a place"
    else:
        unit = "px" if row.long_axis_mm is None else "mm"
        axes = (row.long_axis_px, row.short_axis_px) if unit == "px" else (row.long_axis_mm, row.short_axis_mm)
        text = " × ".join(f"{axis:.1f}" for axis in axes if axis is not None) + f" {unit}"
        if row.derived:
            text += " (derived)"
    if row.excluded_because is not None and row.long_axis_px is not None:
        text += f", no truth: {row.excluded_because}"
    return text


# --- other writers' objects -------------------------------------------------------------------------------------


def documents_of_others() -> list[Path]:
    return [
        path
        for path in sorted(SHARED.rglob("*"))
        if (ds := header_of(path)) is not None and reader_for(str(ds.get("SOPClassUID", ""))) is not None
    ]


def header_of(path: Path) -> Dataset | None:
    """Without the pixels; of a file without a preamble too, None of what is no DICOM object."""
    try:
        ds = dcmread(path, stop_before_pixels=True, force=path.suffix == ".dcm")
    except (InvalidDicomError, OSError, AttributeError, KeyError, ValueError, EOFError, NotImplementedError):
        return None
    return ds if "SOPInstanceUID" in ds and "StudyInstanceUID" in ds else None


def images_beside(path: Path) -> Iterator[tuple[Path, Dataset]]:
    """The images of the same origin, each SOP instance once."""
    seen: set[str] = set()
    for other in sorted(path.parent.iterdir()):
        ds = header_of(other)
        if ds is None or "Rows" not in ds or reader_for(str(ds.get("SOPClassUID", ""))) is not None:
            continue
        if ds.SOPInstanceUID not in seen:
            seen.add(ds.SOPInstanceUID)
            yield other, ds


def writer_line(node: Node, path: Path) -> str:
    """Harvest one object of another writer with the images beside it; leaves the node empty."""
    for other, ds in images_beside(path):
        receive(node, other, ds)
    ds = header_of(path)
    assert ds is not None
    receive(node, path, ds)
    node.harvest(str(ds.StudyInstanceUID))
    uid, reader = str(ds.SOPInstanceUID), reader_for(str(ds.SOPClassUID))
    assert reader is not None
    query = select(LesionRow).where(LesionRow.source_sop_instance_uid == uid).order_by(LesionRow.source_item)
    found = rows(node, query)
    refused = [
        (item, code)
        for item, code in node.session.execute(
            select(Rejection.source_item, Rejection.reason_code).where(Rejection.source_sop_instance_uid == uid)
        )
    ]
    judged = judge(path, reader.kind, {row.source_item for row in found} | {item for item, _ in refused})
    if reader.kind == "SR" and (groups := dcmqi_groups(path)):
        judged += f"; dcmqi: groups: {len(groups)}"
        assert refused or groups <= {row.tracking_uid for row in found}, path
    said = counted(map(row_text, found))
    node.session.rollback()
    codes = counted(sorted(f"`{code}`" for _, code in refused))
    assert "`reader_failed`" not in codes, path
    writer = " ".join(str(ds.get(name, "")) for name in ("Manufacturer", "ManufacturerModelName")).strip()
    cells = (
        f"{path.parent.name.split('__')[0]}: {path.name.replace('__', '/')}",
        " ".join(writer.split()) or "unnamed",
        reader.kind,
        "; ".join(said) or "no row",
        ", ".join(codes) or "nothing",
        judged,
    )
    return "| " + " | ".join(cells) + " |"


def receive(node: Node, path: Path, ds: Dataset) -> None:
    """As the store keeps it: with a preamble and a transfer syntax."""
    name = f"{len(list(node.files.root.iterdir()))}.dcm"
    if "TransferSyntaxUID" in ds.file_meta:
        node.files.path(name).write_bytes(path.read_bytes())
    else:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        ds.save_as(node.files.path(name), enforce_file_format=True)
    if "SeriesInstanceUID" not in ds:
        ds.SeriesInstanceUID = f"{ds.SOPInstanceUID}.1"
    node.receive_file(name, ds)


def judge(path: Path, kind: str, answered: set[str]) -> str:
    """What an independent program counts in the object, held against what has a row or a reason."""
    if kind == "SR":
        graphics = len(re.findall(r"<[a-z ]*SCOORD(?:3D)?:", run("dsrdump", "-Ec", "-Er", "-Ei", str(path))))
        tree = read_tree(dcmread(path, stop_before_pixels=True))
        assert graphics == sum(item.value_type in ("SCOORD", "SCOORD3D") for item in tree.items), path
        return f"dsrdump: graphics: {graphics}"
    if kind == "SEG":
        segments = dcmqi_segments(path)
        if segments is None:
            return "dcmqi cannot read it"
        assert len([item for item in answered if item.startswith("SegmentSequence[")]) == segments, path
        return f"dcmqi: segments: {segments}"
    regions = len(run("dcmdump", "+P", "ROINumber", str(path)).splitlines())
    answers = [item for item in answered if item.startswith("StructureSetROISequence[")]
    assert len(answers) == regions, path
    return f"dcmdump: regions: {regions}"


def dcmqi_segments(path: Path) -> int | None:
    program = str(Path(sys.executable).parent / "segimage2itkimage")
    with TemporaryDirectory() as folder:
        run(program, "--inputDICOM", str(path), "--outputDirectory", folder)
        meta = Path(folder, "meta.json")
        return sum(map(len, json.loads(meta.read_text())["segmentAttributes"])) if meta.exists() else None


def dcmqi_groups(path: Path) -> set[str]:
    """The tracking UIDs of the measurement groups that dcmqi reads; none where it does not take the document."""
    with TemporaryDirectory() as folder:
        told = Path(folder, "groups.json")
        run(
            str(Path(sys.executable).parent / "tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(told)
        )
        groups = json.loads(told.read_text()).get("Measurements", ()) if told.exists() else ()
        return {group.get("TrackingUniqueIdentifier", "") for group in groups}


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).stdout.decode("utf-8", "replace")
