"""Write into docs/conformance.md what the code says: `make conformance`, from the project's root.

Each table stands between two marks, `<!-- NAME -->` and `<!-- end of NAME -->`. Attributes and templates are read from
the golden objects, so they are what is really written.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydicom import Dataset
from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement
from pydicom.uid import UID

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pynetdicom import sop_class  # noqa: E402
from pynetdicom.presentation import build_context  # noqa: E402

from dicom_node import backoff, circuits, commitment, part10, scp, scu, translation  # noqa: E402
from dicom_node.config import Dicom, Peer  # noqa: E402
from dicom_node.golden import Golden, cases, golden  # noqa: E402
from dicom_node.report import rejection_note  # noqa: E402
from dicom_node.report.concepts import LESION, SITES, TYPES  # noqa: E402
from dicom_node.report.header import copied_header  # noqa: E402
from dicom_node.report.profiles import PROFILES  # noqa: E402
from dicom_node.viewer_rules.tree import GROUP  # noqa: E402
from mining.readers.by_class import reader_for  # noqa: E402

PAGE = ROOT / "docs" / "conformance.md"
TEST_EQUIPMENT = ("pacs_stand_in.py",)
LONGEST_VALUE = 60
NEWER = {"1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage"}
"""Names that pydicom's dictionary does not have yet."""
BESIDE = {
    translation.SOP_CLASS_UID: f"copies of people's marks ({translation.SERIES_NUMBER})",
    PROFILES["ko"].sop_class_uid: f"rejection notes ({rejection_note.SERIES_NUMBER})",
}
"""What is sent beside the profiles."""

Row = Sequence[object]


def with_tables(page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """The page with all its tables made anew."""
    for name, make in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        after = rest.partition(end)[2]
        if not found or not after:
            raise ValueError(f"the page has no place for {name}")
        page = f"{before}{begin}{make()}{end}{after}"
    return page


def table(head: Row, rows: Sequence[Row] | Iterator[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line).replace("  ", " ") + " |\n" for line in lines)


def named(uid: str) -> str:
    return f"{NEWER.get(uid) or UID(uid).name} (`{uid}`)"


# --- services ---------------------------------------------------------------------------------------------------


def implementation() -> str:
    return table(
        ("", ""),
        [
            ("Implementation Class UID", f"`{part10.IMPLEMENTATION_CLASS_UID}`"),
            ("Implementation Version Name", f"`{part10.IMPLEMENTATION_VERSION_NAME}`"),
        ],
    )


def services() -> str:
    """Every SOP class but storage that the node asks for, or accepts."""
    provided = {uid for uid in known_classes() if not scp.is_storage(uid) and scp.acceptable([context(uid)])}
    rows = [
        (
            named(uid),
            "yes" if uid in (asked := used()) else "no",
            "yes" if uid in provided else "no",
            asked.get(uid, ""),
        )
        for uid in sorted(provided | used().keys())
    ]
    return table(("SOP class", "SCU", "SCP", "as SCU in"), rows)


def context(uid: str) -> scp.PresentationContext:
    return build_context(uid)


def known_classes() -> list[str]:
    return [uid for uid, (_, kind, _, _, _) in UID_dictionary.items() if kind in ("SOP Class", "Meta SOP Class")]


def used() -> dict[str, str]:
    """SOP class → the modules that ask a peer for it: those that import it and do not listen."""
    modules: dict[str, list[str]] = {}
    for path in sorted((ROOT / "dicom_node").glob("*.py")):
        if path.name in TEST_EQUIPMENT or "add_requested_context" not in path.read_text():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "pynetdicom.sop_class":
                for alias in node.names:
                    uid = str(getattr(sop_class, alias.name))
                    if uid in UID_dictionary and UID_dictionary[uid][1] == "SOP Class":
                        modules.setdefault(uid, []).append(f"`dicom_node/{path.name}`")
    return {uid: ", ".join(names) for uid, names in modules.items()}


def storage_scu() -> str:
    rows: list[Row] = []
    for uid in dict.fromkeys(profile.sop_class_uid for profile in PROFILES.values()):
        of_it = [profile for profile in PROFILES.values() if profile.sop_class_uid == uid]
        syntaxes = {UID(profile.transfer_syntax_uid).name for profile in of_it}
        instead = [f"`{each.name}` → `{each.fallback}`" for each in of_it if each.fallback]
        names = ", ".join(f"`{profile.name}` ({profile.series_number})" for profile in of_it)
        names += f", {BESIDE[uid]}" if uid in BESIDE else ""
        rows.append((named(uid), names, ", ".join(sorted(syntaxes)), ", ".join(instead) or "none"))
    return table(("SOP class", "profile (Series Number)", "transfer syntax", "where it is refused"), rows)


def storage_scp() -> str:
    """Every storage class that the standard has; what is read of it."""
    rows = []
    for uid in known_classes():
        name, _, _, retired, _ = UID_dictionary[uid]
        if scp.is_storage(uid):
            reader = reader_for(uid)
            rows.append(
                (f"{name}{', retired' if retired else ''}", f"`{uid}`", "kept" if reader is None else reader.kind)
            )
    return table(("SOP class", "UID", "read as"), rows)


def statuses() -> str:
    why = {
        scp.SUCCESS: ("Success", "the file is flushed to disk and its row committed"),
        scp.OUT_OF_RESOURCES: (
            "Refused: out of resources",
            "free space below `retention.min_free_gb`; the disk is full or cannot be written; the database does not"
            " answer or is busy",
        ),
        scp.DOES_NOT_MATCH: (
            "Data set does not match SOP class",
            "SOP Class or Instance UID of the data set is not that of the command",
        ),
        scp.CANNOT_UNDERSTAND: (
            "Cannot understand",
            "the data set cannot be walked to its UIDs, says no instance, or has a UID of more than 256 characters",
        ),
        0xC211: ("Cannot understand", "an error of ours; the log has the traceback"),
    }
    return table(("status", "meaning", "when"), [(f"{code:04X}", *texts) for code, texts in why.items()])


def acceptance() -> str:
    settings = scp.ReceiveSettings("", "", 0, ())
    unknown, full = scp.CALLING_AE_UNKNOWN, scp.LOCAL_LIMIT_EXCEEDED
    return table(
        ("", ""),
        [
            ("application context", "1.2.840.10008.3.1.1.1"),
            ("maximum PDU received", f"`dicom.max_pdu`, default {default(Dicom, 'max_pdu')} bytes"),
            ("associations at one time", f"`dicom.max_associations`, default {default(Dicom, 'max_associations')}; more"
             f" are rejected ({'-'.join(map(str, full))}, transient: local limit exceeded)"),
            ("calling AE title", f"must be a peer's; others are rejected ({'-'.join(map(str, unknown))}, permanent)"),
            ("called AE title", "must be `dicom.ae_title`; others are rejected (1-1-7, permanent)"),
            ("silence", f"aborted after {settings.idle_timeout_s:.0f} s without data"),
            ("transfer syntaxes", "all; of several in one context the first that the sender proposes"),
            ("asynchronous operations, user identity", "not supported: requests are answered in turn"),
            ("role selection", "for storage commitment, both roles"),
        ],
    )  # fmt: skip


def initiation() -> str:
    deliveries = spread(backoff.next_delivery_try)
    commitments = spread(backoff.next_commit_try)
    return table(
        ("", ""),
        [
            ("associations for results", "one for each object, with storage commitment proposed beside it"),
            ("waits for an answer", f"{scu.TIMEOUT_S:.0f} s"),
            ("tries of a delivery", f"{backoff.DELIVERY_TRIES}, {deliveries}; then a person decides"),
            ("a destination that fails", f"{circuits.OPENS_AFTER} times in a row gets nothing more for"
             f" {circuits.FIRST_S} s to {circuits.LONGEST_S // 60} min, then one object as a probe"),
            ("storage commitment", f"asked {commitment.ASKED_AFTER.seconds} s after a delivery, all that is due of a"
             f" destination in one N-ACTION; the answer is waited for {commitment.ANSWER_S:.0f} s on the same"
             f" association, later ones come to our port; {backoff.COMMIT_TRIES} tries, {commitments}"),
            ("asynchronous operations", "not used"),
        ],
    )  # fmt: skip


def spread(next_try: Callable[[datetime, int], datetime | None]) -> str:
    """The first and the longest delay."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    waits = [at - now for tries in range(1, 100) if (at := next_try(now, tries)) is not None]
    return f"{min(waits).total_seconds():.0f} s to {max(waits).total_seconds() / 3600:.0f} h apart"


def default(section: type[Dicom] | type[Peer], key: str) -> object:
    return section.model_fields[key].default


def configuration() -> str:
    rows = []
    for section, model in (("dicom", Dicom), ("peers", Peer)):
        for key, field in model.model_fields.items():
            value = "must be given" if field.is_required() else in_toml(field.default)
            rows.append((f"`{section}.{key}`", value, field.description))
    return table(("key", "default", "meaning"), rows)


def in_toml(value: object) -> str:
    return "none" if value is None else f"`{json.dumps(value)}`"


# --- objects ----------------------------------------------------------------------------------------------------


def attributes() -> str:
    """What all objects have alike, then what each encoding has beside it."""
    by_profile = {name: dict(written(name)) for name in PROFILES}
    shared = {
        tag: row
        for tag, row in next(iter(by_profile.values())).items()
        if all(rows.get(tag) == row for rows in by_profile.values())
    }
    head = ("tag", "attribute", "VR", "value")
    made = ["#### All objects\n\n", table(head, list(shared.values()))]
    for name, rows in by_profile.items():
        own = [row for tag, row in rows.items() if tag not in shared]
        made += [f"\n#### Profile `{name}`\n\n", table(head, own)]
    return "".join(made)


def written(name: str) -> Iterator[tuple[str, Row]]:
    """Tag → row of each attribute of the golden objects: from the images, the same in both cases, or made."""
    one, other = ({each.profile.name: each for each in objects()[case]}[name] for case in ("axial", "oblique"))
    copied = copied_header(one.expected.images[0])
    for element in one.dataset:
        tag = str(element.tag).replace(" ", "")
        if element.tag in copied and element.keyword not in ("SpecificCharacterSet",):
            value = "of the first image"
        elif element.VR == "SQ":
            value = inside(element)
        else:
            alike = other.dataset.get(element.tag)
            value = shown(element) if alike is not None and alike.value == element.value else "made"
        yield tag, (tag, element.name, element.VR, value)


def inside(element: DataElement) -> str:
    """The attributes of a sequence's first item."""
    if not element.value:
        return "empty"
    return ", ".join(child.name for child in element.value[0])


def shown(element: DataElement) -> str:
    """A value that never changes. UIDs are made, though the golden ones are fixed."""
    is_class = element.VR == "UI" and "Storage" in UID(str(element.value)).name
    if element.VR in ("UI", "OB", "OW", "OF", "DA", "TM", "DT") and not is_class:
        return "made"
    if element.keyword in ("SoftwareVersions", "DeviceSerialNumber", "ManufacturerModelName", "Manufacturer"):
        return "of this node"
    text = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value or "")
    if element.keyword == "SeriesDescription" or not text:
        return "made" if text else "empty"
    return f"`{text[:LONGEST_VALUE]}`"


def templates() -> str:
    """The content tree of each report, of its first lesion."""
    made = []
    for name, profile in PROFILES.items():
        if profile.kind == "SR":
            ds = {each.profile.name: each for each in objects()["axial"]}[name].dataset
            root = f"(`{code(ds, 'ConceptNameCodeSequence')}`), TID {ds.ContentTemplateSequence[0].TemplateIdentifier}"
            rows = list(content(ds.ContentSequence, ">"))
            made.append(f"\n#### Profile `{name}`\n\nRoot {root}.\n\n")
            made.append(table(("", "relationship", "type", "concept", "value"), rows))
    return "".join(made).lstrip("\n") + ""


def content(items: Sequence[Dataset], depth: str) -> Iterator[Row]:
    for item in once(items):
        concept = code(item, "ConceptNameCodeSequence") if "ConceptNameCodeSequence" in item else ""
        yield depth, item.RelationshipType, item.ValueType, concept, value_of(item)
        if "ContentSequence" in item:
            yield from content(item.ContentSequence, depth + ">")


def once(items: Sequence[Dataset]) -> Iterator[Dataset]:
    """Of the groups those of the first lesion, of a library's images the first."""
    lesions = 3
    groups = [item for item in items if named_group(item)]
    kept = {id(item) for item in groups[: len(groups) // lesions]}
    images = [item for item in items if item.ValueType == "IMAGE"]
    for item in items:
        if (named_group(item) and id(item) not in kept) or (item.ValueType == "IMAGE" and item is not images[0]):
            continue
        yield item


def named_group(item: Dataset) -> bool:
    return bool(item.get("ConceptNameCodeSequence")) and item.ConceptNameCodeSequence[0].CodeValue == GROUP


def code(item: Dataset, keyword: str) -> str:
    one = item[keyword][0]
    return f'{one.CodeValue}, {one.CodingSchemeDesignator}, "{one.CodeMeaning}"'


def value_of(item: Dataset) -> str:
    if item.ValueType == "CODE":
        return code(item, "ConceptCodeSequence")
    if item.ValueType == "NUM":
        return f"in {code(item.MeasuredValueSequence[0], 'MeasurementUnitsCodeSequence')}"
    if item.ValueType == "TEXT":
        return f"like {item.TextValue!r}".replace("'", '"')
    if item.ValueType == "SCOORD":
        return f"{item.GraphicType} of {len(item.GraphicData) // 2} points"
    if item.ValueType == "IMAGE":
        return "key slice" if item.RelationshipType == "SELECTED FROM" else "each image with a finding"
    return ""


def codes() -> str:
    rows: list[Row] = [("", "finding, where no word tells it", str(LESION), LESION.meaning)]
    for kind, words in (("finding", TYPES), ("site", SITES)):
        rows += [(word, kind, str(code), code.meaning) for word, code in words.items()]
    return table(("word in a category's name", "gives", "code", "meaning"), rows)


def rejections() -> str:
    rows = [
        (because, f"{title.value}, {title.scheme}", title.meaning) for because, title in rejection_note.TITLES.items()
    ]
    return table(("a result that was", "title", "meaning"), rows)


_OBJECTS: dict[str, list[Golden]] = {}


def objects() -> dict[str, list[Golden]]:
    """The golden objects by case, made once."""
    if not _OBJECTS:
        _OBJECTS.update({case: list(golden(case, subject)) for case, subject in cases().items()})
    return _OBJECTS


TABLES: dict[str, Callable[[], str]] = {
    "implementation": implementation,
    "services": services,
    "storage scu": storage_scu,
    "storage scp": storage_scp,
    "statuses": statuses,
    "acceptance": acceptance,
    "initiation": initiation,
    "configuration": configuration,
    "attributes": attributes,
    "templates": templates,
    "codes": codes,
    "rejections": rejections,
}


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(), TABLES))
