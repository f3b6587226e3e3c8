"""XML of strangers → a small tree, within limits; no entity is ever looked up. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from mining.drawings import Unusable
from mining.elements import MAX_TEXT

MAX_DEPTH = 64
MAX_ELEMENTS = 100_000
"""Four for each point: an outline of 200 points on a hundred slices has fewer."""


@dataclass(slots=True)
class Element:
    """One element; names without prefix and in lower case, those of attributes with a prefix as `:name`."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, *names: str) -> Iterator[Element]:
        """Every element of these names below this one, or this one itself, in the order of the document."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            if element.name in names:
                yield element
            waiting.extend(reversed(element.children))

    def first(self, *names: str) -> Element | None:
        return next(self.all(*names), None)

    def child(self, name: str) -> Element | None:
        return next((child for child in self.children if child.name == name), None)

    def says(self, name: str) -> str:
        """An attribute, or a child with its value as ISO 21090 writes it, or with text: AIM has used all of them."""
        if name in self.attributes:
            return _clean(self.attributes[name])
        child = self.child(name)
        if child is None:
            return ""
        return _clean(next((child.attributes[key] for key in ("value", "root") if key in child.attributes), child.text))

    @property
    def kind(self) -> str:
        """xsi:type without a prefix, in lower case."""
        return self.attributes.get(":type", "").rpartition(":")[2].strip().lower()


class _Refused(Exception):
    """What the document may not hold; goes through expat."""

    def __init__(self, unusable: Unusable) -> None:
        super().__init__(unusable.reason)
        self.unusable = unusable


def read_xml(content: bytes) -> Element | Unusable:
    """The root of a document. One with a document type is refused: it is what entities are declared in."""
    tree = _Tree()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(content, True)
    except _Refused as refused:
        return refused.unusable
    except (expat.ExpatError, ValueError, LookupError):  # the latter two for encodings that nobody knows
        line = parser.ErrorLineNumber
        return Unusable("bad_xml", f"it is no well-formed XML, see line {line}")
    return tree.root or Unusable("bad_xml", "there is no element in it")


class _Tree:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._left = MAX_ELEMENTS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0:
            raise _Refused(Unusable("too_large", f"a document of over {MAX_ELEMENTS} elements is not read"))
        if len(self._open) >= MAX_DEPTH:
            raise _Refused(Unusable("nested_too_deep", f"elements are nested over {MAX_DEPTH} deep"))
        element = Element(_local(name), {_attribute(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        open_one = self._open[-1]
        if len(open_one.text) < MAX_TEXT:
            open_one.text += text[:MAX_TEXT]


def _refuse_doctype(*_about: object) -> None:
    raise _Refused(Unusable("document_type", "it declares a document type, which AIM has not; save it without"))


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _attribute(name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f":{local.lower()}" if prefix else local.lower()


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()[:MAX_TEXT]
