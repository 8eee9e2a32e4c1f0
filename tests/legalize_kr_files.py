"""Invented files in the shape of legalize-kr and precedent-kr, and small checkouts of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LAW = "kr/등대지기보호법/법률.md"
DECREE = "kr/등대지기보호법/시행령.md"
DECISION = "민사/대법원/대법원_2031-02-14_2031다1001_1002_병합.md"
LOWER = "형사/하급심/서울고등법원_2030-01-02_2029노5.md"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def statute(
    articles: str,
    law_id: str = "990001",
    name: str = "등대지기 보호법",
    mst: int = 1001,
    promulgated: str = "2024-01-02",
    effective: str = "2024-07-01",
    kind: str = "법률",
) -> str:
    return f"""---
제목: {name}
법령MST: {mst}
법령ID: '{law_id}'
법령구분: {kind}
법령구분코드: ''
소관부처:
- 해양등대부
공포일자: {promulgated}
공포번호: '99001'
시행일자: {effective}
법령분야: ''
상태: 시행
출처: https://www.law.go.kr/법령/{name.replace(" ", "")}
첨부파일:
- 별표번호: '0001'
  제목: 등대 도면(제3조 관련)
---

# {name}

{articles.strip()}

## 부칙

부칙 <제99001호,{promulgated}>

제1조(시행일) 이 법은 공포 후 6개월이 지난 날부터 시행한다.

##### 제99조 (부칙에 있는 것)

본문이 아니다.
"""


ARTICLES = """
## 제1장 총칙

### 제1절 통칙

##### 제1조 (목적)

이 법은 등대지기를 보호한다.

##### 제2조 (정의)

**①** 이 법에서 쓰는 말의 뜻은 다음과 같다. <개정 2024.1.2>

  1\\. "등대"란 뱃길을 비추는 집을 말한다.
    가\\. 큰 등대
 1) 돌로 지은 것
  1의2\\. "등불"이란 그 빛을 말한다.

**②** 나머지는 대통령령으로 정한다.

##### 제2조의2

삭제 <2024.1.2>

## 제2장 양도

##### 제3조 (양도(讓渡)의 통지·신고)

의 통지ㆍ신고) 등대를 넘길 때에는 알린다.
"""


def decision(identity: str = "900001", number: str = "2031다1001, 1002(병합)", **fields: str) -> str:
    front = {
        "판례일련번호": f"'{identity}'", "사건번호": number, "사건명": "등대사용료", "법원명": "대법원",
        "법원등급": "대법원", "사건종류": "민사", "출처": "https://example.org", "첨부파일": "[]",
        "선고일자": "2031-02-14", **fields,
    }  # fmt: skip
    lines = "\n".join(f"{name}: {value}" for name, value in front.items() if value)
    return f"""---
{lines}
---

# 등대사용료

## 판시사항

[1] 등불을 켜 둔 채 떠난 등대지기의 책임(적극)
[2] 종을 치지 않은 것이 과실인지 여부(소극)

## 판결요지

[1] A&amp;B 등대의 등불은 지키는 사람이 책임진다.

## 참조조문

[1] 등대지기 보호법 제2조

## 판례내용

【주 문】 상고를 기각한다.

## 참조판례

판결문 안의 글이다.
"""


def write(checkout: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    return checkout


def git(checkout: Path, *arguments: str) -> None:
    environ = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
    }  # fmt: skip
    subprocess.run(["git", "-C", str(checkout), *arguments], check=True, capture_output=True, env=environ)


def repository(checkout: Path, files: dict[str, str]) -> Path:
    """A git repository with one commit of the files."""
    checkout.mkdir(parents=True)
    git(checkout, "init", "-q")
    commit(write(checkout, files))
    return checkout


def commit(checkout: Path) -> None:
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "change")
