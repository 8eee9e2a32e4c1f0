from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.leaks import STRETCH, WINDOW, DevText, LeakError, check, main
from training.pairs import write_rows

LONG = "".join(chr(0xAC00 + 37 * n % 11172) for n in range(300))
"""No stretch of it recurs."""
DEV = [
    {"query_id": "500#1", "text": "임차인이 보증금을 돌려받지 못한 경우의 동시이행항변권"},
    {"query_id": "501#0", "text": LONG},
]


def id_row(text: str, **fields: Any) -> dict[str, Any]:
    known = {
        "query_id": "p7#0",
        "positive_passages": ["001706-0750#0"],
        "source": "issue_article",
        "date": "2015-01-01",
    }
    return {**known, "query_text": text, **fields}


def inline_row(text: str, **fields: Any) -> dict[str, Any]:
    return {"query": text, "pos": ["본문"], "neg": [], "source": "issue_holding", "key": "p7#1", **fields}


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    write_rows(tmp_path / "dev" / "queries.jsonl", DEV)
    return tmp_path / "dev"


def checked(folder: Path, train: list[dict[str, Any]], weak: list[dict[str, Any]] | None = None) -> Any:
    write_rows(folder / "train.jsonl", train)
    write_rows(folder / "weak.jsonl", weak or [])
    return check(folder / "train.jsonl", folder / "weak.jsonl", [folder / "dev"], "2022-01-01")


@pytest.mark.usefixtures("dev")
def test_earlier_decisions_are_no_leak(tmp_path: Path) -> None:
    overlap = checked(
        tmp_path, [id_row("해고의 정당한 이유"), id_row("다른 쟁점", query_id="p8#2")], [inline_row("쟁점")]
    )
    assert overlap.rows == {"issue_article": 2, "issue_holding": 1}
    assert not overlap.shared.total()


@pytest.mark.usefixtures("dev")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (id_row("임차인이  보증금을 돌려받지 못한 경우의 동시 이행항변권"), "asks what dev query 500#1 asks"),
        (inline_row("임차인이 보증금을 돌려받지 못한 경우의 동시이행항변권"), "asks what dev query 500#1 asks"),
        (id_row("다른 말", query_id="p500#3"), "is of the dev decision p500"),
        (inline_row("다른 말", key="p501#2"), "is of the dev decision p501"),
        (id_row("다른 말", positive_passages=["p500#0"]), "is of the dev decision p500"),
        (id_row("다른 말", date="2022-01-01"), "is dated 2022-01-01, training ends before 2022-01-01"),
    ],
)
def test_a_leak_is_named_with_its_line(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    good = id_row("해고의 정당한 이유")
    with pytest.raises(LeakError, match=rf"1 training rows leak: train\.jsonl:2 {reason}; make the pairs again"):
        checked(tmp_path, [good, row])
    with pytest.raises(LeakError, match=rf"weak\.jsonl:1 {reason}"):
        checked(tmp_path, [good], [row])


@pytest.mark.usefixtures("dev")
def test_glosses_do_not_hide_a_dev_text(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "dev" / "queries.jsonl", [{"query_id": "1#0", "text": "유치권(留置權)의 성립 요건과 그 범위"}]
    )
    with pytest.raises(LeakError):
        checked(tmp_path, [id_row("유치권의 성립 요건과 그 범위")])


@pytest.mark.usefixtures("dev")
def test_a_shared_stretch_is_reported_and_no_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An earlier decision in the same words is public on the day of the later one."""
    part, whole = id_row(f"앞 {LONG[100:200]} 뒤"), id_row(f"앞 {LONG}")
    overlap = checked(tmp_path, [part, whole, id_row("다른 말"), id_row("또 다른 말")])
    assert (overlap.shared["issue_article"], overlap.whole["issue_article"]) == (2, 1)
    assert capsys.readouterr().out.rstrip() == (
        "issue_article: 4 rows, 2 (50.00%) share 60 characters or more with a dev query, 1 hold one whole"
    )


@given(start=st.integers(0, 300 - STRETCH), before=st.integers(0, 100), size=st.integers(STRETCH, 300))
def test_every_long_stretch_is_found(
    tmp_path_factory: pytest.TempPathFactory, start: int, before: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("dev")
    write_rows(folder / "queries.jsonl", DEV)
    found = DevText([folder]).near("a" * before + LONG[start : start + size] + "b" * 30)
    assert found == [LONG]


@given(st.text(alphabet="가나다라", max_size=200), st.text(alphabet="가나다라", max_size=200))
def test_what_is_found_is_shared(tmp_path_factory: pytest.TempPathFactory, dev_text: str, text: str) -> None:
    """Differential: windows looked up here, all stretches compared there."""
    folder = tmp_path_factory.mktemp("dev")
    write_rows(folder / "queries.jsonl", [{"query_id": "1#0", "text": dev_text}])
    longest = max((n for n in range(WINDOW, len(text) + 1) for i in range(len(text) - n + 1)
                   if text[i : i + n] in dev_text), default=0)  # fmt: skip
    found = bool(DevText([folder]).near(text))
    assert found <= (longest >= WINDOW)
    assert found >= (longest >= STRETCH)


def test_several_dev_folders(dev: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "citizen" / "queries.jsonl", [{"query_id": "c1", "text": "집주인이 보증금을 안 줘요"}])
    write_rows(tmp_path / "train.jsonl", [id_row("집주인이 보증금을 안 줘요")])
    check(tmp_path / "train.jsonl", tmp_path / "none.jsonl", [dev])
    with pytest.raises(LeakError, match="dev query c1"):
        check(tmp_path / "train.jsonl", tmp_path / "none.jsonl", [dev, tmp_path / "citizen"])


def test_the_command(dev: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--pairs", str(tmp_path), "--dev", str(dev)]
    with pytest.raises(SystemExit):
        main(arguments)
    assert "train.jsonl" in capsys.readouterr().err
    write_rows(tmp_path / "train.jsonl", [id_row("해고의 정당한 이유")])
    write_rows(tmp_path / "weak.jsonl", [])
    assert main(arguments) == 0
    assert capsys.readouterr().out.endswith("no dev text in training\n")
    write_rows(tmp_path / "weak.jsonl", [inline_row("말", key="p500#1")])
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith("leak_error: 1 training rows leak: weak.jsonl:1 is of the dev decision")
