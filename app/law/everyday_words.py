"""The table of everyday words, app/law/everyday.tsv: what it holds and how keys match is told in app.law.everyday.

A line is a key, a tab, and the law's words for it with commas between; behind another tab stands `whole` where the key
begins other words (땅콩, 비자금, 통신사실): what follows such a key is a particle or no letter. # begins a heading.
"""

from __future__ import annotations

from pathlib import Path

TABLE = Path(__file__).with_name("everyday.tsv")


def _rows() -> list[list[str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


EVERYDAY: dict[str, tuple[str, ...]] = {key: tuple(terms.split(", ")) for key, terms, *_ in _rows()}
WHOLE = frozenset(key for key, _, *mark in _rows() if mark)
