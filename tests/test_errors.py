from __future__ import annotations

import inspect

import pytest
from fastapi.testclient import TestClient

from app import errors
from app.errors import BeopgilError, IndexMismatch, IndexMissing, ModelError
from tests.conftest import serving, wait_for


def tree() -> list[type[BeopgilError]]:
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    return [one for one in classes if issubclass(one, BeopgilError)]


def test_every_error_has_a_code_of_its_own_and_a_status() -> None:
    codes = [one.code for one in tree()]
    assert len(codes) == len(set(codes))
    assert all(400 <= one.status < 600 for one in tree())


def test_the_module_docstring_draws_the_tree() -> None:
    for one in tree():
        drawn = f"{one.__name__} {one.status}" if one is not BeopgilError else one.__name__
        assert drawn in (errors.__doc__ or "")


def test_an_error_keeps_its_message_and_details() -> None:
    error = errors.BadRequest("k is 0: give 1 or more", k=0)
    assert (str(error), error.message, error.details) == ("k is 0: give 1 or more", "k is 0: give 1 or more", {"k": 0})


@pytest.mark.parametrize("error", [IndexMissing, IndexMismatch, ModelError, errors.IndexCorrupt])
def test_what_ended_the_loading_is_told_everywhere(
    error: type[BeopgilError], capsys: pytest.CaptureFixture[str]
) -> None:
    def load(_: object) -> object:
        raise error("256 here, 384 there: build it again", built=256)

    with serving(load, ready=False) as client:  # type: ignore[arg-type]  # it never returns
        wait_for(lambda: client.get("/readyz").json()["error"]["code"] == error.code)
        for answer in (client.get("/readyz"), client.post("/search", json={"query": "해고"}), client.get("/info")):
            assert answer.status_code == 503
            assert answer.json()["error"]["message"] == "256 here, 384 there: build it again"
            assert answer.json()["error"]["details"] == {"built": 256}
        assert client.get("/healthz").status_code == 200
    written = capsys.readouterr().err
    assert f"beopgil: {error.code}: 256 here, 384 there: build it again" in written
    assert "Traceback" not in written


def test_an_unforeseen_failure_of_loading_leaves_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def load(_: object) -> object:
        raise ZeroDivisionError("a bug")

    with serving(load, ready=False) as client:  # type: ignore[arg-type]  # it never returns
        wait_for(lambda: "could not be loaded" in message(client))
        assert "a bug" not in message(client)
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "ZeroDivisionError: a bug" in written


def message(client: TestClient) -> str:
    return str(client.get("/readyz").json()["error"]["message"])
