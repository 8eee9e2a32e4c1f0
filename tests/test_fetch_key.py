from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fetch.errors import KeyMissingError
from training.fetch.key import MASK, VARIABLE, Key


def test_it_comes_from_the_environment() -> None:
    assert Key.from_environment({VARIABLE: " keeper \n"}).value == "keeper"


@pytest.mark.parametrize("environ", [{}, {VARIABLE: ""}, {VARIABLE: "  "}])
def test_a_missing_key_is_told_with_the_remedy(environ: dict[str, str]) -> None:
    with pytest.raises(KeyMissingError, match=rf"{VARIABLE} is not set.*open\.law\.go\.kr"):
        Key.from_environment(environ)


def test_it_never_shows_itself() -> None:
    key = Key("keeper")
    assert repr(key) == str(key) == f"Key({MASK})"
    assert "keeper" not in f"{key} {key!r} {[key]}"


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        (b"/DRF/lawService.do?OC=a+b&target=law", b"/DRF/lawService.do?OC=***&target=law"),
        (b"?OC=a%2Bb&amp;MST=1", b"?OC=***&amp;MST=1"),
        (b"<OC>a+b</OC>", b"<OC>***</OC>"),
        (b'"OC": "a+b"', b'"OC": "***"'),
        (b"?OC=a+bc", b"?OC=a+bc"),
        ("a+b라는 글".encode(), "a+b라는 글".encode()),
    ],
)
def test_bodies_lose_the_key_and_nothing_else(body: bytes, masked: bytes) -> None:
    assert Key("a+b").mask_body(body) == masked


@given(st.text("abc.+-_%/=@ 법", min_size=1).filter(str.strip), st.text(max_size=30), st.text(max_size=30))
def test_messages_lose_the_key_wherever_it_is(value: str, before: str, after: str) -> None:
    masked = Key(value).mask(f"{before}{value}{after}")
    assert value not in masked.replace(MASK, "\0") or value in MASK
