"""What a report says of AI results in words: accepted, rejected, modified, supplemented. Pure.

IHE's AI Result Assessment (AIRA) writes an SR that names the result, or a finding by its tracking UID, and says a
verdict by a code or a text. No code is standard yet, so a verdict is known by its words and by a table of the site
(`mining.settings`), and it is about the UIDs that stand nearest to it: below it, else beside it, else around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from db.codes import Code
from mining.content_tree import ContentItem, read_tree
from mining.elements import code_of, items_of, text_of
from mining.readers.sr_context import Surroundings
from mining.settings import VERDICT_WORDS

MOST = 1_000
"""Verdicts of one document."""

LONGEST = 64
"""Characters of a text that may be a verdict; also the longest UID (PS3.5 9.1)."""

Said = tuple[str, str, str]
"""(UID, verdict, reader)."""


def stated_verdicts(ds: Dataset, table: Mapping[str, str]) -> tuple[str, tuple[Said, ...]]:
    """Who wrote the document, and what it says of each UID; the last word on one counts.

    table: words and codes of the site → verdict. Which of the UIDs are ours is not known here.
    """
    tree = read_tree(ds)
    around = Surroundings(tree.root)
    words = VERDICT_WORDS | {_plain(said): verdict for said, verdict in table.items()}
    said: dict[str, Said] = {}
    for item in tree.items:
        verdict = _verdict(item, words)
        if verdict is None:
            continue
        reader = around.observer([item, *item.ancestors()])[0]
        for uid in _about(item):
            said[uid] = (uid, verdict, reader)
        if len(said) >= MOST:
            break
    return around.observer([tree.root])[0], tuple(said.values())


def _verdict(item: ContentItem, words: Mapping[str, str]) -> str | None:
    if item.value_type == "TEXT":
        text = text_of(item.dataset, "TextValue")
        return words.get(_plain(text)) if len(text) <= LONGEST else None
    if item.value_type != "CODE":
        return None
    code = code_of(item.dataset, "ConceptCodeSequence")
    return None if code is None else _of_code(code, words)


def _of_code(code: Code, words: Mapping[str, str]) -> str | None:
    named = (f"{code.scheme}:{code.value}", code.value, code.meaning)
    return next((words[_plain(name)] for name in named if _plain(name) in words), None)


def _plain(words: str) -> str:
    return " ".join(words.replace("_", " ").casefold().split())


def _about(item: ContentItem) -> list[str]:
    """The UIDs below a verdict; else those at, and right below, the nearest item above that has any.

    What stands right below the root is about the whole document, and so about all that this refers to.
    """
    uids = list(_uids_in(item))
    for ancestor in () if uids else item.ancestors():
        uids = [uid for each in (ancestor, *ancestor.children) for uid in _own_uids(each)]
        if ancestor.parent is None:
            uids += _named_by_the_document(ancestor)
        if uids:
            break
    return uids


def _uids_in(item: ContentItem) -> Iterator[str]:
    waiting = [item]
    while waiting:
        one = waiting.pop()
        yield from _own_uids(one)
        waiting += one.children


def _own_uids(item: ContentItem) -> Iterator[str]:
    """A UIDREF, or the object that an IMAGE or COMPOSITE refers to."""
    named = [text_of(item.dataset, "UID")] if item.value_type == "UIDREF" else []
    if item.value_type in ("IMAGE", "COMPOSITE"):
        references = items_of(item.dataset, "ReferencedSOPSequence")
        named = [text_of(reference, "ReferencedSOPInstanceUID") for reference in references]
    yield from (uid for uid in named if uid and len(uid) <= LONGEST)


def _named_by_the_document(root: ContentItem) -> Iterator[str]:
    """What the whole document is about: its predecessors and its evidence (PS3.3 C.17.2.3)."""
    for keyword in (
        "PredecessorDocumentsSequence",
        "CurrentRequestedProcedureEvidenceSequence",
        "PertinentOtherEvidenceSequence",
    ):
        for study in items_of(root.dataset, keyword):
            for series in items_of(study, "ReferencedSeriesSequence"):
                for reference in items_of(series, "ReferencedSOPSequence"):
                    uid = text_of(reference, "ReferencedSOPInstanceUID")
                    if uid and len(uid) <= LONGEST:
                        yield uid
