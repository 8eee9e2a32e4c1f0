from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from training.fetch import transport as module
from training.fetch.transport import transport

Say = Callable[[bytes], str]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """A server that says these bytes to whoever comes, and hangs up; gives its URL."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[Thread] = []

    def answer(raw: bytes) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(raw)

    def start(raw: bytes) -> str:
        threads.append(Thread(target=answer, args=(raw,)))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/DRF/lawService.do?OC=keeper"

    yield start
    for thread in threads:
        thread.join()
    listening.close()


def test_a_body_and_its_headers(say: Say) -> None:
    answer = transport(5)(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: a\r\n\r\nok"))
    assert (answer.status, answer.body, answer.headers["x-kind"], answer.problem) == (200, b"ok", "a", "")


def test_a_status_is_no_exception_and_a_redirect_is_not_followed(say: Say) -> None:
    answer = transport(5)(say(b"HTTP/1.1 302 Found\r\nLocation: http://[/\r\nContent-Length: 0\r\n\r\n"))
    assert (answer.status, answer.headers["location"]) == (302, "http://[/")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "broke after 4 of 50 bytes"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 50\r\n\r\nhalf", "broke after 4 of 50 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32\r\nhalf", "broke in the middle (IncompleteRead)"),
        (b"", "RemoteDisconnected"), (b"nonsense\r\n\r\n", "BadStatusLine"),
    ],
)  # fmt: skip
def test_what_breaks_is_told_without_the_url(say: Say, raw: bytes, problem: str) -> None:
    answer = transport(5)(say(raw))
    assert answer.status == 0
    assert problem in answer.problem
    assert "keeper" not in answer.problem


def test_a_body_without_end_is_not_read_to_its_end(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1 << 20)
    answer = transport(5)(say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * ((1 << 20) + 1)))
    assert answer.problem == "the body has more than 1 MB"


def test_nobody_waits_forever(say: Say) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = transport(0.05)(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert "timed out" in answer.problem or "Timeout" in answer.problem
