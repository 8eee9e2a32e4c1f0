"""The benchmark of known questions leaves out what it says it leaves out."""

from __future__ import annotations

import pytest

from app.law.questions import Question
from benchmarks.known_questions import ALIKE, SHARES, likeness, settings, strata
from training.dev import DevQuery
from training.tracks import Track

KNOWN = [
    Question(question="강아지가 사람을 물었어요", articles=("민법 제759조",)),
    Question(question="강아지가 사람을 물었는데 어떡하죠", articles=("민법 제750조",)),
    Question(question="zzz", articles=("민법 제1조",)),
]


def test_likeness_is_the_largest_share_of_bigrams() -> None:
    same, near, far = likeness(KNOWN, ["강아지가 사람을 물었어요", "다른 말"])
    assert (same, far) == (1.0, 0.0)
    # 강아 아지 지가 가사 사람 람을 을물 물었 are shared; 었어 어요 and 었는 는데 데어 어떡 떡하 하죠 are not.
    assert near == pytest.approx(8 / 16)
    assert likeness(KNOWN, []) == [0.0, 0.0, 0.0]


def test_each_setting_keeps_what_it_names() -> None:
    left = dict(settings(KNOWN, ["강아지가 사람을 물었어요"]))
    assert left["none"] == []
    assert left["all"] == KNOWN
    assert [len(left[f"a share of {share:g}"]) for share in SHARES] == [round(share * 3) for share in SHARES]
    assert all(left[f"alike < {most:g}"] == KNOWN[2:] for most in ALIKE)


def test_strata_tell_apart_what_no_known_question_names() -> None:
    queries = tuple(
        DevQuery(name, name, "", "statute", frozenset({article}))
        for name, article in (("q1", "민법 제759조"), ("q2", "상법 제1조"))
    )
    part = Track("citizens", queries, {"q1": {"part": "a"}, "q2": {"part": "b"}})
    assert strata(part, KNOWN) == {"all": ["q1", "q2"], "part a": ["q1"], "part b": ["q2"], "unnamed": ["q2"]}
