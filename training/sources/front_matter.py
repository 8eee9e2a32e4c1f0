"""Markdown with front matter → (fields, body). Reads the plain part of YAML that legalize-kr writes: `key: text`.

Text may be bare, in single or double quotes, or go on in the next lines, indented. Lists (소관부처, 첨부파일) are left
out.
"""

from __future__ import annotations

import json
import re

FENCE = "---"
_KEY = re.compile(r"([^\s:#'\"-][^:]*):(?:\s+(.*))?$")


class FrontMatterError(ValueError):
    """What is wrong with a file, in a few words."""


def split(text: str) -> tuple[dict[str, str], str]:
    """Raises FrontMatterError where the text does not begin with front matter, or it has no end."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        raise FrontMatterError("no front matter at its head")
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), 0)
    if not end:
        raise FrontMatterError("front matter without an end")
    return _fields(lines[1:end]), "\n".join(lines[end + 1 :]).strip("\n")


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        match = _KEY.match(line)
        if match:
            key = match[1].strip()
            fields[key] = [match[2] or ""]
        elif line.startswith((" ", "\t")) and key and line.strip():
            fields[key].append(line.strip())
        elif line.startswith("-"):
            key = ""
    return {key: _scalar(" ".join(filter(None, (part.strip() for part in parts)))) for key, parts in fields.items()}


def _scalar(text: str) -> str:
    """`it's` of `'it''s'`. A block mark (`|-`, `>`) before text that goes on is dropped."""
    text = re.sub(r"^[|>][+-]?\s+", "", text)
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except json.JSONDecodeError:
            return text[1:-1]
    return text
