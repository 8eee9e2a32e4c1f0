from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, unknown_variables


def test_defaults_serve_the_sample_index_to_this_machine_only() -> None:
    settings = Settings()
    assert (settings.index_root, settings.index) == (Path("indexes"), "samples")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.max_body_bytes == 1024**2
    assert settings.log_queries is False
    assert settings.admin_token.get_secret_value() == ""


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEOPGIL_INDEX", "laws")
    monkeypatch.setenv("BEOPGIL_RERANKER", "")
    monkeypatch.setenv("BEOPGIL_LOG_QUERIES", "true")
    settings = Settings()
    assert (settings.index, settings.reranker, settings.log_queries) == ("laws", "", True)


def test_port_alone_is_honoured_and_the_prefixed_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9001")
    assert Settings().port == 9001
    monkeypatch.setenv("BEOPGIL_PORT", "9002")
    assert Settings().port == 9002
    assert Settings(port=9003).port == 9003


def test_the_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEOPGIL_ADMIN_TOKEN", "모래성")
    settings = Settings()
    assert settings.admin_token.get_secret_value() == "모래성"
    assert "모래성" not in repr(settings) + str(settings.model_dump(mode="json"))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEOPGIL_PORT", "web"),
        ("BEOPGIL_PORT", "70000"),
        ("BEOPGIL_DEVICE", "tpu"),
        ("BEOPGIL_CONCURRENCY", "0"),
        ("BEOPGIL_CACHE", "-1"),
        ("BEOPGIL_INDEX", ""),
        ("BEOPGIL_MAX_BODY_BYTES", "-1"),
    ],
)
def test_values_that_cannot_be_used_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(ValidationError, match="prot"):
        Settings(prot=1)  # type: ignore[call-arg]  # what is tested


def test_a_misspelt_variable_is_told_with_the_nearest_one() -> None:
    sentences = unknown_variables({"BEOPGIL_PROT": "1", "BEOPGIL_PORT": "1", "BEOPGIL_DATA": "x", "HOME": "y"})
    assert sentences == ["BEOPGIL_PROT is no setting and is ignored; did you mean BEOPGIL_PORT?"]
