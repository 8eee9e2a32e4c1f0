"""The words of the pages: labels of kinds and statuses, dates, and what is remarked of a citation."""

from __future__ import annotations

import re
from datetime import date, timedelta

KINDS = {"": "전체", "statute": "법령", "precedent": "판례"}
STATUSES = {"in_force": "현행", "not_yet": "시행예정", "former": "연혁", "deleted": "삭제"}
CITATIONS = {
    "no_such_article": "없는 조문",
    "no_such_law": "없는 법령",
    "no_such_case": "수록되지 않은 판례",
    "deleted": "삭제된 조문",
    "ambiguous": "둘 이상",
    "former": "구법",
    "unresolved": "확인할 수 없음",
    "resolved": "확인됨",
}
"""By the status of a citation, what is most likely wrong first."""
TONES = {
    "resolved": "good", "former": "warn", "ambiguous": "warn", "unresolved": "warn", "deleted": "bad",
    "no_such_article": "bad", "no_such_law": "bad", "no_such_case": "bad",
}  # fmt: skip
FLAGS = {
    "alias": "약칭을 정식 이름으로 읽었습니다",
    "renamed": "이름이 바뀐 법령입니다",
    "title_differs": "조문 제목이 다릅니다",
    "no_such_paragraph": "그 조문에 없는 항입니다",
    "supplementary": "부칙은 수록되어 있지 않습니다",
    "annex": "별표와 서식은 수록되어 있지 않습니다",
    "law": "조문 번호 없이 법령만 적었습니다",
    "date_differs": "선고일이 다릅니다",
    "court_differs": "법원이 다릅니다",
    "no_such_day": "달력에 없는 날짜입니다",
}
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def korean_date(iso: str) -> str:
    """`2020. 8. 20.` of 2020-08-20; what is no ISO date stays."""
    match = _ISO.fullmatch(iso)
    return f"{match[1]}. {int(match[2])}. {int(match[3])}." if match else iso


def period(start: str, end: str) -> str:
    """`2013. 7. 1. ~ 2020. 12. 9.`: the days of [start, end), both ISO; an open end is left out."""
    last = (date.fromisoformat(end) - timedelta(days=1)).isoformat() if end else ""
    return f"{korean_date(start)} ~ {korean_date(last)}".strip()


def percent(relevance: float) -> int:
    """Of 0..1, and 100 only for 1."""
    return 100 if relevance >= 1 else min(99, round(relevance * 100))
