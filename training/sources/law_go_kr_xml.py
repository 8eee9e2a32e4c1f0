"""XML bodies of the law.go.kr Open API → the shape in which the same bodies come as JSON, for the same readers.

An attribute becomes a key (조문키), an element of text alone a string, a repeated child a list. A document type, and
with it every entity of one's own, is refused before anything of it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

DEPTH = 64
"""Elements within elements; a body has about ten."""
_REFERENCE = "<조문참고자료>"
_REFERENCE_END = _REFERENCE.replace("<", "</")


class XmlError(ValueError):
    """What is wrong with a body, in a few words."""


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    text: str = ""


def parse_xml(body: bytes) -> dict[str, Any]:
    """`{"법령": {…}}` of a body. XmlError where it is cut, damaged, hostile or no XML."""
    try:
        root = _read(body)
    except XmlError:
        # Some bodies leave out the end tag of 조문참고자료, which holds nothing but text: give it one, and try again.
        mended = _mend(body)
        if mended == body:
            raise
        root = _read(mended)
    return {root.name: _value(root)}


def _read(body: bytes) -> _Element:
    top = _Element("", {})
    stack = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = _Element(name, attributes)
        if len(stack) > DEPTH:
            raise XmlError(f"XML is more than {DEPTH} elements deep")
        _parent(stack[-1], name).children.append(element)
        stack.append(element)

    def text(piece: str) -> None:
        stack[-1].text += piece

    def refuse(name: str, *_: object) -> None:
        raise XmlError(f"XML with a document type ({name}), which a body never has; it is not read")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: stack.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XmlError(f"XML is cut or damaged at byte {parser.ErrorByteIndex} ({error})") from None
    return top.children[0]


def _parent(element: _Element, name: str) -> _Element:
    """Where a child belongs: some bodies give 목 beside its 호, not in it."""
    if name == "목" and element.name == "항" and element.children and element.children[-1].name == "호":
        return element.children[-1]
    return element


def _value(element: _Element) -> Any:
    text = element.text.strip()
    if not element.children and not element.attributes:
        return text
    value: dict[str, Any] = dict(element.attributes)
    for child in element.children:
        _add(value, child.name, _value(child))
    if text:
        value["content"] = text
    return value


def _add(value: dict[str, Any], name: str, child: Any) -> None:
    if name not in value:
        value[name] = child
    elif isinstance(value[name], list):
        value[name].append(child)
    else:
        value[name] = [value[name], child]


def _mend(body: bytes) -> bytes:
    opened = body.decode("utf-8", "replace").split(_REFERENCE)
    return _REFERENCE.join([opened[0], *map(_ended, opened[1:])]).encode() if len(opened) > 1 else body


def _ended(text: str) -> str:
    """What follows a 조문참고자료, with its end tag at the next tag that cannot be in it where it has none."""
    end = text.find(_REFERENCE_END)
    limits = [at for tag in ("</조문단위>", "<조문단위", "<조문내용>") if (at := text.find(tag)) >= 0]
    limit = min(limits, default=-1)
    if limit < 0 or 0 <= end < limit:
        return text
    return f"{text[:limit]}{_REFERENCE_END}{text[limit:]}"
