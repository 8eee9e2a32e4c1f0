"""POST /citations over a small corpus."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from fastapi.testclient import TestClient


def read(client: TestClient, text: str) -> dict[str, Any]:
    response = client.post("/citations", json={"text": text})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_every_citation_of_a_text(client: TestClient) -> None:
    text = "피고는 민법 제750조, 제751조와 노동법 제1조를 든다(대법원 2020. 5. 14. 선고 2019다101 판결, 2019다9)."
    answer = read(client, text)
    assert list(answer) == ["citations", "counts", "took_ms", "index"]
    assert [(one["text"], one["doc_id"], one["status"]) for one in answer["citations"]] == [
        ("민법 제750조", "001706-0750", "resolved"),
        ("제751조", None, "no_such_article"),
        ("노동법 제1조", None, "no_such_law"),
        ("대법원 2020. 5. 14. 선고 2019다101 판결", "p101", "resolved"),
        ("2019다9", None, "no_such_case"),
    ]
    assert answer["counts"] == {"resolved": 2, "no_such_article": 1, "no_such_law": 1, "no_such_case": 1}
    assert answer["took_ms"] >= 0
    assert answer["index"]["name"] == "fake"
    first, missing = answer["citations"][:2]
    assert first == {
        "span": [4, 12], "text": "민법 제750조", "citation": "민법 제750조", "doc_id": "001706-0750",
        "status": "resolved",
        "flags": [], "nearest": [],
    }  # fmt: skip
    assert missing["nearest"][0] == {"doc_id": "001706-0750", "citation": "민법 제750조"}


def test_a_text_without_citations(client: TestClient) -> None:
    answer = read(client, "아무것도 인용하지 않는다.")
    assert (answer["citations"], answer["counts"]) == ([], {})


@pytest.mark.parametrize(
    "text",
    [
        unicodedata.normalize("NFD", "앞말 민법 제750조"),
        "\u200f앞말 민\u200b법 제750조",
        "앞말<br/>민법 제７５０조",
        "😀 민법 제750조",
    ],
)
def test_spans_are_in_the_text_as_sent(client: TestClient, text: str) -> None:
    (one,) = read(client, text)["citations"]
    assert one["doc_id"] == "001706-0750"
    assert one["text"] == text[slice(*one["span"])]
    assert one["text"].endswith(text[-1])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": ""}, "is empty"),
        ({"text": " \n"}, "is empty"),
        ({"text": "가" * 100_001}, "100,001 characters"),
        ({"text": "가", "more": 1}, "more"),
        ({}, "text"),
        ({"text": 7}, "text"),
    ],
)
def test_what_is_refused(client: TestClient, body: dict[str, Any], said: str) -> None:
    response = client.post("/citations", json=body)
    assert response.status_code == 422
    error = response.json()["error"]
    assert said in error["message"] + str(error["details"])


def test_a_hundred_thousand_characters_are_read(client: TestClient) -> None:
    line = "원고는 민법 제750조 및 같은 법 제751조, 형법 제307조를 든다.\n"
    text = (line * 3000)[:100_000]
    answer = read(client, text)
    assert len(answer["citations"]) >= 3 * (100_000 // len(line))
    assert answer["counts"]["resolved"] >= 2 * (100_000 // len(line))
    assert all(one["text"] == text[slice(*one["span"])] for one in answer["citations"])
