"""Fixtures that several modules share: an index over a handful of documents, and clients of a service on it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest
from fastapi.testclient import TestClient

from app.api.service import Load
from app.main import create_app
from app.retrieval.searcher import Searcher
from app.settings import FOREIGN, Settings
from tests.fakes import build_index

# Machines that run tests are busy: no test fails for being slow once.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> Iterator[None]:
    """No test depends on BEOPGIL_* variables of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name == "PORT" or (name.startswith("BEOPGIL_") and name not in FOREIGN):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """Over the documents of tests.fakes, with fake models. Read only."""
    return build_index(tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="module")
def client(searcher: Searcher) -> Iterator[TestClient]:
    """A service over `searcher` that is ready."""
    with serving(lambda _: searcher) as ready:
        yield ready


@contextmanager
def serving(load: Load, ready: bool = True, **settings: Any) -> Iterator[TestClient]:
    """A client of a service with these settings; an error inside the service is answered, not raised."""
    app = create_app(Settings(**settings), load)
    with TestClient(app, raise_server_exceptions=False) as client:
        if ready:
            wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    """Return as soon as `condition()` is true; TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {seconds} seconds")
        time.sleep(0.005)
