from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RecordError
from training import plots
from training.measures import calibration_error
from training.report import DEFAULT, FAILURES, SYSTEMS, Axis, RunFolder, main, ordered, page, shown, signed

VOID = {"meta", "br", "link", "img", "hr", "input"}
SECTIONS = ("headline", "ablation", "recall", "depth", "calibration", "comparison", "failures")
HOSTILE = "<script>alert('법')</script>\"&$x_1$"
STRATA = {"articles": ("all", "strict", "named", "unseen"), "citizens": ("all",), "precedents": ("all",)}


def score(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}


def measures() -> list[dict[str, Any]]:
    """The default system is best by 0.01; its nDCG@10 is 0.460 in every stratum."""
    made = []
    for track, strata in STRATA.items():
        for place, system in enumerate(SYSTEMS):
            for stratum in strata:
                means = {name: score(0.4 + place / 100) for name in ("nDCG@10", "RR@10", "R@10", "R@100")}
                made.append({"track": track, "system": system, "stratum": stratum, "n": 1234, "measures": means})
    return made


def change(difference: float, system: str = DEFAULT, track: str = "articles") -> dict[str, Any]:
    interval = {"low": difference - 0.01, "high": difference + 0.01, "p": 0.0001}
    named = {"track": track, "system": system, "stratum": "strict", "measure": "nDCG@10", "n": 9}
    return {**named, "before": 0.5, "after": 0.5 + difference, "difference": difference, **interval}


def failed(number: int, text: str = "전세금을 못 받은 경우") -> dict[str, Any]:
    found = [f"민법 제{article}조" for article in range(1, 30)]
    return {"track": "articles", "query_id": f"{number}#0", "text": text, "gold": ["민법 제3조"], "found": found}


def write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with every file."""
    curve = {"k": [1, 5, 10, 100], "recall": [0.2, 0.4, 0.5, 0.9]}
    depths = [{"depth": d, "nDCG@10": 0.7, "R@10": 0.8, "p50_ms": 9.0 * d, "p95_ms": 12.0 * d} for d in (50, 10)]
    random = np.random.default_rng(5)
    pairs = [[float(p), int(random.random() < p)] for p in random.random(500)]
    write(tmp_path, "measures.json", measures())
    write(tmp_path, "values.json", {"articles": {DEFAULT: {"1#0": {"nDCG@10": 0.0}, "2#0": {"nDCG@10": 1.0}}}})
    write(tmp_path, "recall.json", {track: dict.fromkeys(SYSTEMS, curve) for track in STRATA})
    write(tmp_path, "relevance.json", {"articles": pairs, "precedents": []})
    write(tmp_path, "meta.json", {"index": "full", "version": "v1", "models": {"encoder": "e5"}, "seconds": 12.5})
    write(tmp_path, "comparison.json", [change(0.015), change(-0.04, track="precedents"), change(0.2, "dense")])
    write(tmp_path, "depths.json", {"depths": [{**row, "queries": 200} for row in depths]})
    lines = [json.dumps(failed(number), ensure_ascii=False) + "\n" for number in range(1, FAILURES + 4)]
    (tmp_path / "failures.jsonl").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def html_of(run: Path) -> str:
    return page(RunFolder.read(run))


class Reader(HTMLParser):
    """Checks that what opens closes, in order; keeps the tags, the ids and the text of each section."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {}
        self.section = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"] or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.section = "" if tag == "section" else self.section

    def handle_data(self, data: str) -> None:
        if self.section:
            joined = f"{self.sections.get(self.section, '')} {data}"
            self.sections[self.section] = " ".join(joined.split())


# the page


def test_every_section_is_there_and_every_tag_closes(run: Path) -> None:
    reader = Reader(html_of(run))
    assert reader.open == []
    assert tuple(reader.sections) == SECTIONS
    assert not any(" in this run" in text for text in reader.sections.values())
    ids = [values["id"] for _, values in reader.tags if "id" in values]
    assert len(ids) == len(set(ids))


def test_the_headline_has_five_tiles_and_their_change(run: Path) -> None:
    text = Reader(html_of(run)).sections["headline"]
    assert [label in text for label in ("Track A, strict", "Track A, named", "Track A, all", "Citizens", "Track B")]
    assert text.count("0.460") == 5 * 4  # the mean of each of the four measures
    assert text.count("0.440 to 0.480") == 5
    assert "+0.015" in text


def test_the_ablation_has_every_system_in_order_in_every_stratum(run: Path) -> None:
    text = Reader(html_of(run)).sections["ablation"]
    assert [word for word in text.split() if word in SYSTEMS] == list(SYSTEMS) * 6
    html = html_of(run)
    assert html.count('class="dot"') == len(SYSTEMS) * 6 + 3  # and three changes
    assert html.count(' own">') == 6
    assert html.count('<b class="best">0.460') == 6 * 4


def test_changes_are_told_apart_and_other_systems_are_folded(run: Path) -> None:
    html = html_of(run)
    assert html.index("−0.040") < html.index("Other systems, 1 row") < html.index("+0.200")
    assert re.search(r'<tr class="good">\s*<th scope="row">articles, strict', html)
    assert re.search(r'<tr class="bad">\s*<th scope="row">precedents, strict', html)
    assert "&lt; 0.001" in html


def test_calibration_falls_back_on_our_own_error(run: Path) -> None:
    pairs = np.array(json.loads((run / "relevance.json").read_text())["articles"])
    expected = f"ECE {calibration_error(pairs[:, 0], pairs[:, 1]):.3f}"
    assert expected in Reader(html_of(run)).sections["calibration"]
    rows = measures()
    for row in rows:
        if row["system"] == DEFAULT and row["stratum"] == "all":
            row["measures"]["ECE"] = {"mean": 0.777}
    write(run, "measures.json", rows)
    assert "ECE 0.777 , 500 documents" in Reader(html_of(run)).sections["calibration"]


def test_failures_are_folded_counted_and_capped(run: Path) -> None:
    html = html_of(run)
    text = Reader(html).sections["failures"]
    assert "1 of 2 queries have nothing relevant among their first ten. The first 40 of 43." in text
    assert html.count('<summary lang="ko">') == FAILURES
    assert html.count('<li class="hit">민법 제3조') == 2 * FAILURES
    assert text.count("민법 제3조 at 3") == FAILURES
    assert "민법 제11조" not in html
    assert not re.search(r"<details[^>]*open", html)


def test_depths_stand_in_order(run: Path) -> None:
    text = Reader(html_of(run)).sections["depth"]
    assert "200 queries of track A" in text
    assert text.index("90 120") < text.index("450 600")


# what is absent, hostile or foreign


@pytest.mark.parametrize(
    ("file", "section"),
    [
        ("recall.json", "recall"),
        ("depths.json", "depth"),
        ("relevance.json", "calibration"),
        ("comparison.json", "comparison"),
        ("failures.jsonl", "failures"),
    ],
)
def test_a_section_says_which_file_is_absent(run: Path, file: str, section: str) -> None:
    (run / file).unlink()
    reader = Reader(html_of(run))
    assert f"No {file} in this run:" in reader.sections[section]
    assert tuple(reader.sections) == SECTIONS
    assert reader.open == []


def test_measures_alone_make_a_report(run: Path) -> None:
    for path in run.iterdir():
        if path.name != "measures.json":
            path.unlink()
    html = html_of(run)
    assert tuple(Reader(html).sections) == SECTIONS
    assert "No <code>meta.json</code>" in html


def test_an_unmeasured_tile_says_so(run: Path) -> None:
    write(run, "measures.json", [row for row in measures() if row["track"] == "articles"])
    assert Reader(html_of(run)).sections["headline"].count("not measured") == 2


def test_no_failure_is_not_an_absent_file(run: Path) -> None:
    (run / "failures.jsonl").write_text("")
    assert Reader(html_of(run)).sections["failures"] == "Worst failures No query failed."


def test_hostile_text_is_escaped_wherever_it_stands(run: Path) -> None:
    curve = {"k": [1, 10], "recall": [0.1, 0.2]}
    row = {"track": HOSTILE, "system": HOSTILE, "stratum": HOSTILE, "n": 1, "measures": {"nDCG@10": score(0.5)}}
    write(run, "measures.json", [*measures(), row])
    write(run, "meta.json", {"index": HOSTILE, HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]})
    write(run, "recall.json", {HOSTILE: {HOSTILE: curve}})
    write(run, "relevance.json", {HOSTILE: [[0.5, 1], [0.2, 0]]})
    write(run, "comparison.json", [{**change(0.1, HOSTILE, HOSTILE), "stratum": HOSTILE, "measure": HOSTILE}])
    hostile = {**failed(1, HOSTILE), "query_id": HOSTILE, "gold": [{HOSTILE: HOSTILE}], "found": HOSTILE, HOSTILE: 1}
    write(run, "failures.jsonl", hostile)
    html = html_of(run)
    reader = Reader(html)
    assert reader.open == []
    assert "script" not in {tag for tag, _ in reader.tags}
    assert "<script" not in html.casefold()
    assert all(HOSTILE in reader.sections[name] for name in ("ablation", "recall", "comparison", "failures"))


def test_nothing_is_fetched_and_nothing_runs(run: Path) -> None:
    html = html_of(run)
    tags = Reader(html).tags
    assert not re.search(r"https?:|//\w|@import|javascript:", html)
    assert all(target == "none" or target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    links = [values.get(name) for _, values in tags for name in ("src", "href") if name in values]
    assert all(link and link.startswith("#") for link in links)
    assert not {"script", "img", "link", "iframe", "image"} & {tag for tag, _ in tags}


def test_it_is_small_the_same_each_time_and_coloured_by_the_page_alone(run: Path) -> None:
    html = html_of(run)
    assert len(html.encode()) < 1_000_000
    assert html == html_of(run)
    assert not [stand_in for stand_in in plots.COLOURS.values() if stand_in in html]
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", html))
    assert used <= set(re.findall(r"--([a-z0-9-]+):", html))
    light, dark = re.findall(r":root \{(.*?)\}", html, flags=re.DOTALL)
    assert re.findall(r"--[a-z0-9-]+:", light) == re.findall(r"--[a-z0-9-]+:", dark)


# numbers


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_an_axis_holds_its_values_between_round_ends(values: list[float]) -> None:
    axis = Axis.over(values)
    assert axis.low <= min(values) + 1e-6
    assert axis.high >= max(values) - 1e-6
    assert 2 <= len(axis.ticks) <= 6
    assert (axis.at(axis.low), axis.at(axis.high)) == ("0.00%", "100.00%")


def test_the_axis_of_a_track() -> None:
    assert Axis.over([0.334, 0.761]).ticks == (0.2, 0.4, 0.6, 0.8)
    assert Axis.over([-0.03, 0.03]).ticks == (-0.04, -0.02, 0, 0.02, 0.04)
    assert Axis.over([]).ticks == (0, 0.5, 1)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=200))
def test_bins_hold_every_pair_and_their_gaps_are_the_error(pairs: list[tuple[float, int]]) -> None:
    """Differential: the bins that are drawn, and calibration_error."""
    bins = plots.binned(pairs)
    assert sum(one["n"] for one in bins) == len(pairs)
    assert all(0 <= one["low"] <= one["share"] + 1e-9 and one["share"] - 1e-9 <= one["high"] <= 1 for one in bins)
    error = sum(one["n"] * abs(one["relevance"] - one["share"]) for one in bins) / len(pairs)
    assert error == pytest.approx(calibration_error(*plots.columns(pairs)))


def test_wilson_at_a_half_and_at_the_ends() -> None:
    square = plots.WILSON**2 / 100
    half = plots.WILSON * np.sqrt(0.25 / 100 + square / 400) / (1 + square)
    assert plots.wilson(0.5, 100) == pytest.approx((0.5 - half, 0.5 + half))
    assert plots.wilson(0.0, 9)[0] == 0
    assert plots.wilson(1.0, 9)[1] == pytest.approx(1)


def test_known_names_keep_their_order_and_values_are_a_line() -> None:
    assert ordered(["z", "dense", "a", "bm25"], SYSTEMS) == ["bm25", "dense", "a", "z"]
    assert [signed(value) for value in (0.01, -0.01, -0.0001, 0.0)] == ["+0.010", "−0.010", "0.000", "0.000"]
    assert shown({"a": [1, 0.123456], "b": None}) == "a 1, 0.1235 · b None"


# the command


def test_the_command_writes_beside_the_run_or_where_it_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run", str(run)]) == 0
    assert main(["--run", str(run), "--out", str(run / "far" / "r.html")]) == 0
    assert (run / "report.html").read_bytes() == (run / "far" / "r.html").read_bytes()
    assert capsys.readouterr().out == f"{run / 'report.html'}\n{run / 'far' / 'r.html'}\n"


@pytest.mark.parametrize(("body", "said"), [(None, "holds no measures"), ("[{}]", "holds no"), ("[", "is not JSON")])
def test_a_folder_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str | None, said: str
) -> None:
    if body is not None:
        (tmp_path / "measures.json").write_text(body)
    with pytest.raises(RecordError, match=said):
        RunFolder.read(tmp_path)
    assert main(["--run", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("record_error: ")
    assert not (tmp_path / "report.html").exists()
