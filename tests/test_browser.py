"""The pages in Chromium, driven over its debugging protocol: what is drawn, and what the keys do."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from websockets.sync.client import ClientConnection, connect

from app.main import create_app
from app.settings import Settings
from tests.conftest import wait_for
from tests.fakes import build_index
from tests.test_versions import HISTORY

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
QUERY = quote("정당한 이유 없는 해고")
CITED = quote("민법 제750조 제5항과 민법 제9999조")
COMPARED = "/d/001706-0750?from=1960-01-01&to=2013-07-01"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


class RefusedError(Exception):
    """A call or script that failed: usual while a page is being left for another."""


class Tab:
    """A page in Chromium."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, count(1)
        self.violations: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.violations.append(json.dumps(message["params"]))
            if message.get("id") == number:
                if "error" in message:
                    raise RefusedError(message["error"]["message"])
                result: dict[str, Any] = message["result"]
                return result

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.until("document.readyState == 'complete' && !window.seen")
        self.run("window.seen = true")

    def run(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RefusedError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a script gives true, over the leaving of pages too."""

        def holds() -> bool:
            try:
                return self.run(condition) is True
            except RefusedError:
                return False

        wait_for(holds)

    def press(self, key: str) -> None:
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        code = {"windowsVirtualKeyCode": 13} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a live service over fake models and articles with a history."""
    searcher = build_index(tmp_path_factory.mktemp("served"), versions=HISTORY)
    app = create_app(Settings(), lambda _: searcher)
    live = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=live.run)
    thread.start()
    wait_for(lambda: live.started and app.state.service.ready)
    yield f"http://127.0.0.1:{live.servers[0].sockets[0].getsockname()[1]}"
    live.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The debugging address of a Chromium of its own."""
    profile = tmp_path_factory.mktemp("profile")
    flags = (*FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank")
    process = subprocess.Popen([str(CHROMIUM), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    announced = profile / "DevToolsActivePort"
    wait_for(lambda: announced.exists() and announced.read_text().count("\n") >= 1, 60)
    port, path = announced.read_text().split("\n")[:2]
    yield f"ws://127.0.0.1:{port}{path}"
    process.terminate()
    process.wait(30)


@pytest.fixture
def tab(browser: str) -> Iterator[Tab]:
    with connect(browser, max_size=None, proxy=None) as control:
        control.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
        target = next(m for m in map(json.loads, control) if m.get("id") == 1)["result"]["targetId"]
        address = browser.rpartition("/devtools/")[0] + f"/devtools/page/{target}"
        with connect(address, max_size=None, proxy=None) as socket:
            tab = Tab(socket)
            tab.size(1280, 900)
            yield tab
            assert tab.violations == []


FOCUSED = "document.activeElement.closest('.hit')?.dataset.citation ?? document.activeElement.id"


def test_the_page_is_drawn_without_a_word_of_protest(tab: Tab, server: str) -> None:
    tab.open(f"{server}/?q={QUERY}")
    assert tab.run("document.querySelectorAll('.hit').length") == 6
    assert tab.run("getComputedStyle(document.querySelector('.badge.statute')).color") == "rgb(31, 58, 95)"
    assert tab.run("[...document.querySelectorAll('.copy')].every(button => !button.hidden)")
    loaded = tab.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert all(address.startswith(server) for address in loaded)


def test_keys_move_open_and_return_to_the_box(tab: Tab, server: str) -> None:
    tab.open(f"{server}/?q={QUERY}")
    citations = tab.run("[...document.querySelectorAll('.hit')].map(hit => hit.dataset.citation)")
    for key, expected in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("k", 0)):
        tab.press(key)
        assert tab.run(FOCUSED) == citations[expected], key
    tab.press("/")
    assert tab.run(FOCUSED) == "q"
    tab.press("j")
    assert tab.run("document.getElementById('q').value") == "j", "a key typed into the box is text"
    tab.press("ArrowDown")
    assert tab.run(FOCUSED) == citations[0]
    tab.press("Enter")
    heading = json.dumps(citations[0])
    tab.until(f"location.pathname.startsWith('/d/') && document.querySelector('h1').textContent == {heading}")


def test_a_citation_is_copied_by_key_and_by_button(tab: Tab, server: str) -> None:
    tab.open(f"{server}/?q={QUERY}")
    # The clipboard of a headless browser is not its to give: what the page hands over is what is tested.
    tab.run("window.copied = []; navigator.clipboard.writeText = async (text) => { copied.push(text); }")
    tab.press("j")
    tab.press("c")
    tab.run("document.querySelectorAll('.copy')[1].click()")
    citations = tab.run("[...document.querySelectorAll('.hit')].map(hit => hit.dataset.citation)")
    tab.until("copied.length == 2")
    assert tab.run("copied") == citations[:2]
    tab.until("document.getElementById('said').textContent.startsWith('복사했습니다')")
    assert tab.run("document.querySelectorAll('.copy')[1].textContent") == "복사됨"


@pytest.mark.parametrize(
    "path", ["/", f"/?q={QUERY}", f"/?q={CITED}&as_of=2010-01-01", "/d/p101", COMPARED, "/cite", "/docs"]
)
@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1280, False)])
def test_no_page_is_wider_than_its_window(tab: Tab, server: str, path: str, width: int, dark: bool) -> None:
    tab.size(width, 800, dark)
    tab.open(server + path)
    assert tab.run("document.documentElement.scrollWidth") <= width
    light = tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"
    assert light is not dark


CONTRAST = """
(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("body *:not(script)")) {
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) low.push(`${node.tagName}.${node.className}: ${node.textContent.slice(0, 30)}`);
  }
  return low;
})()
"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        *("/", f"/?q={CITED}&as_of=2010-01-01", f"/?q={quote('민법 제750조 제9999조 해고')}", f"/?q={QUERY}"),
        *("/d/001872-0023?q=해고", COMPARED, "/cite", "/docs"),
    ],
)
def test_text_stands_out_from_its_ground(tab: Tab, server: str, path: str, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    tab.size(1280, 900, dark)
    tab.open(server + path)
    assert tab.run(CONTRAST) == []


def test_the_search_works_without_scripts(tab: Tab, server: str) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.call("Page.navigate", url=server)
    tab.until("document.activeElement.id == 'q'")
    tab.call("Input.insertText", text="정당한 이유 없는 해고")
    tab.press("Enter")
    tab.until("document.querySelectorAll('.hit a.open').length == 6")
    assert tab.run("document.querySelector('.why summary').textContent.startsWith('왜 이 결과?')")
    assert tab.run("[...document.querySelectorAll('.copy')].every(button => button.hidden)"), "it would do nothing"


def test_a_brief_is_checked_without_scripts(tab: Tab, server: str) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.call("Page.navigate", url=f"{server}/cite")
    tab.until("document.getElementById('text') !== null")
    tab.run("document.getElementById('text').focus()")
    tab.call("Input.insertText", text="민법 제750조와 민법 제9999조,\n구 형법 제307조 & 임대차법 = 100%+")
    tab.run("document.querySelector('form.check button').focus()")
    tab.press("Enter")
    tab.until("document.querySelectorAll('table.citations tbody tr').length == 3")
    assert "임대차법 = 100%+" in tab.run("document.querySelector('.brief').textContent"), "every character is sent"
    assert tab.run("document.getElementById('text').value").endswith("제307조 & 임대차법 = 100%+")
    assert tab.run(CONTRAST) == []
    tab.size(390, 800)
    assert tab.run("document.documentElement.scrollWidth") <= 390
