"""XML bodies against the same bodies as JSON, and XML that must not be read."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.law_go_kr_server import to_xml
from tests.test_law_go_kr import BODY, FIXTURES, contents
from training.sources import law_go_kr
from training.sources.law_go_kr_body import BodyError, parse_body
from training.sources.law_go_kr_statute import Heading
from training.sources.law_go_kr_xml import DEPTH, XmlError, parse_xml
from training.sources.records import Broken, StatuteArticle

PAIRS = sorted(
    path
    for path in FIXTURES.glob("*.json")
    if not path.name.startswith(("error", "cut")) and len(json.loads(path.read_bytes())) == 1
)


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_xml_gives_what_json_gives(path: Path, tmp_path: Path) -> None:
    same = tmp_path / f"{path.stem}.xml"
    same.write_text(to_xml(json.loads(path.read_bytes())), encoding="utf-8")
    assert contents(list(law_go_kr.read(same))) == contents(list(law_go_kr.read(path)))


def test_there_are_pairs_of_both_kinds() -> None:
    assert len(PAIRS) > 20


def article(inner: str) -> StatuteArticle:
    body = (
        "<법령><기본정보><법령ID>990001</법령ID><법령명_한글>등대지기 보호법</법령명_한글></기본정보><조문>"
        f'<조문단위 조문키="0007001"><조문번호>7</조문번호><조문여부>조문</조문여부>{inner}</조문단위></조문></법령>'
    )
    path = Path("law") / "1234.xml"
    (found,) = law_go_kr._records(body.encode(), str(path))
    assert isinstance(found, StatuteArticle)
    return found


def test_items_beside_their_parent_are_in_it() -> None:
    """Some bodies give 목 as a sibling of the 호 that it belongs to."""
    beside = article(
        "<조문내용>제7조 쉬는 날은 다음과 같다.</조문내용><항>"
        "<호><호번호>1.</호번호><호내용>1. 바람</호내용></호><목><목번호>가.</목번호><목내용>가. 큰 바람</목내용></목>"
        "<호><호번호>2.</호번호><호내용>2. 비</호내용></호><목><목번호>가.</목번호><목내용>가. 큰 비</목내용></목></항>"
    )
    assert beside.text.split("\n\n")[1] == "  1. 바람\n    가. 큰 바람\n  2. 비\n    가. 큰 비"


def test_a_note_without_its_end_tag_is_given_one() -> None:
    text = "<조문내용>제7조 등불을 켠다.</조문내용><조문참고자료><![CDATA[[본조신설 2024.1.2]]]>"
    assert article(text).text == "등불을 켠다."
    assert article(f"{text}</조문참고자료>") == article(text)


def test_a_statute_takes_its_number_from_the_file_it_was_fetched_to() -> None:
    assert article("<조문내용>제7조 등불을 켠다.</조문내용>").mst == "1234"


BOMB = '<!DOCTYPE a [<!ENTITY x "법"><!ENTITY y "&x;&x;&x;">]><법령>&y;</법령>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><PrecService><사건명>&x;</사건명></PrecService>'


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, '<!DOCTYPE 법령 SYSTEM "http://127.0.0.1:1/x.dtd"><법령/>'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_before_it_is_read(text: str, encoding: str) -> None:
    with pytest.raises(XmlError, match="document type"):
        parse_xml(text.encode(encoding))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<a>" * (DEPTH + 1), "elements deep"),
        (b"<a>&unknown;</a>", "undefined entity"),
        ("<법령><조문>".encode(), "cut or damaged at byte 16"),
        ('<?xml version="1.0" encoding="utf-8"?><a>법</a>'.encode("cp949"), "damaged at byte"),
        (b"<a/><b/>", "cut or damaged"),
    ],
)
def test_damage_is_told(body: bytes, reason: str) -> None:
    with pytest.raises(XmlError, match=reason):
        parse_xml(body)


def test_many_notes_without_end_are_mended_in_linear_time() -> None:
    body = "<법령>" + "<조문단위><조문참고자료>가</조문단위>" * 3000 + "</법령>"
    assert len(parse_xml(body.encode())["법령"]["조문단위"]) == 3000


@pytest.mark.parametrize(
    ("body", "html"),
    [
        (b"", False), (b" \n", False), (b"[]", False), (b'{"a"', False), (b"<a", False),
        (b"<!DOCTYPE html><html></html>", True), (b"<!-- x -->\n<HTML>", True),
        (b"\xef\xbb\xbf<script>1</script>", True),
    ],
)  # fmt: skip
def test_what_is_no_body(body: bytes, html: bool) -> None:
    with pytest.raises(BodyError) as caught:
        parse_body(body)
    assert caught.value.html is html


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text("<>&/법령조문![]CDATA \"'=a", max_size=60).map(str.encode)))
def test_any_bytes_are_a_body_or_an_error(body: bytes) -> None:
    with suppress(BodyError):
        assert isinstance(parse_body(body), dict)


@settings(max_examples=100, deadline=None)
@given(body=BODY.filter(lambda body: isinstance(body, dict)))
def test_any_shape_survives_as_json(body: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert parse_body(json.dumps(body).encode()) == body


def test_a_broken_body_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "prec").mkdir()
    (tmp_path / "prec" / "1.xml").write_text(OUTSIDE, encoding="utf-8")
    (tmp_path / ".crawl").mkdir()
    (tmp_path / ".crawl" / "state.json").write_text("{}", encoding="utf-8")
    assert law_go_kr.is_folder_of_bodies(tmp_path)
    (only,) = law_go_kr.read(tmp_path)
    assert isinstance(only, Broken)
    assert only.where == str(Path("prec", "1.xml"))
    assert "document type" in only.reason


def records(body: bytes) -> list[object]:
    return contents([found for found in law_go_kr._records(body, "body") if not isinstance(found, Heading)])


@pytest.mark.data
def test_real_bodies_read_alike_in_both_forms() -> None:
    """Every statute and rule, and one decision in twenty, turned into XML."""
    folder = os.environ.get("BEOPGIL_DATA")
    if not folder:
        pytest.skip("BEOPGIL_DATA does not name the folder of real records")
    compared = 0
    for number, (where, body) in enumerate(law_go_kr._bodies(Path(folder) / "law_go_kr.raw.tar.zst")):
        assert isinstance(body, bytes)
        if "precedents" in where and number % 20:
            continue
        root = json.loads(body)
        # Some decisions are kept without their root.
        root = root if len(root) == 1 else {"PrecService": root}
        assert records(to_xml(root).encode()) == records(json.dumps(root).encode())
        compared += 1
    assert compared > 1000


def test_of_several_notes_only_the_open_one_is_ended() -> None:
    unit = "<조문단위><조문참고자료>{}</조문단위>"
    body = (
        "<법령>" + unit.format("가</조문참고자료>") + unit.format("나") + unit.format("다</조문참고자료>") + "</법령>"
    )
    assert [one["조문참고자료"] for one in parse_xml(body.encode())["법령"]["조문단위"]] == ["가", "나", "다"]
