"""Decisions of the law.go.kr Open API → Decision. A body has the root PrecService, or its fields stand at the top.

판결본문 and 사건유형, which some crawlers write, are keys that the API does not have: they are always empty.
"""

from __future__ import annotations

import re
from typing import Any

from training.sources.law_go_kr_fields import flat, iso_date
from training.sources.records import Broken, Decision

ID_KEYS = ("판례정보일련번호", "판례일련번호")
"""The body's name of the id, and the list's, which crawlers copy into the body."""
SUPREME, LOWER = "대법원", "하급심"
_COURT_CODES = {"400201": SUPREME, "400202": LOWER}
_SHORT = {"고": "고등", "지": "지방", "행": "행정", "가": "가정"}
_SHORT_COURT = re.compile(r"(?<=[가-힣]{2})([고지행가])법(?!원)")
_BRANCH = re.compile(r"법원(?=[가-힣]{2,4}지원)")


def court_name(name: str) -> str:
    """The full name of a court: 서울고법 → 서울고등법원; sites stay: 수원지법안산지원 → 수원지방법원 안산지원."""
    if name in ("특허", "특허법"):
        return "특허법원"
    return _BRANCH.sub("법원 ", _SHORT_COURT.sub(lambda match: f"{_SHORT[match[1]]}법원", name))


def read_precedent(root: dict[str, Any], where: str) -> Decision | Broken:
    """The decision of a body. A blank or partial 선고일자 gives the date ""."""
    identity = next(filter(None, (flat(root.get(key)) for key in ID_KEYS)), "")
    case_no, court = flat(root.get("사건번호")), court_name(flat(root.get("법원명")))
    if not (identity and case_no and court):
        return Broken(
            where, f"no {ID_KEYS[0]}, 사건번호 or 법원명 (found {identity!r}, {case_no!r}, {court!r}); fetch it again"
        )
    level = _COURT_CODES.get(flat(root.get("법원종류코드")), SUPREME if court == SUPREME else LOWER)
    return Decision(
        identity, case_no, flat(root.get("사건명")), court, level,
        flat(root.get("사건종류명") or root.get("사건유형")), iso_date(root.get("선고일자")),
        flat(root.get("판시사항")), flat(root.get("판결요지")), flat(root.get("참조조문")), flat(root.get("참조판례")),
    )  # fmt: skip
