"""A report is one page that holds everything it shows."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rpl.cli.main import run
from rpl.viz.report import Pictures, write_report

COLUMNS = (
    "environment_steps,policy_success,policy_success_low,policy_success_high,policy_return,"
    "controller_success,controller_return,burning_in,evaluation_episodes"
)


def make_run(folder: Path, seed: int = 0, polyak: float = 0.8) -> Path:
    folder.mkdir(parents=True)
    record = {
        "task": "push", "method": "rpl", "preset": "fast", "seed": seed,
        "controller": "reactive-push", "config": {"learner": {"polyak": polyak}},
        "command": "rpl train push --x '<&>'", "commit": "abc123", "versions": {"mujoco": "4.0"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(record))
    rows = [f"{steps},{v},{v - 0.01:.3f},{v + 0.01:.3f},-40,0.4,-45,0,100" for steps, v in LEVELS]
    (folder / "metrics.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
    return folder


LEVELS = [(0, 0.4), (20_000, 0.98), (40_000, 0.98), (60_000, 0.98)]


class Page(HTMLParser):
    """Everything that a browser would fetch, and what is left open."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_beside_it(tmp_path):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", seed=1, polyak=0.9)]
    shown = {runs[0]: Pictures(b"film", b"strip"), runs[1]: "no OpenGL <here>"}
    write_report(tmp_path / "new/report.html", runs, shown)
    text = (tmp_path / "new/report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert "data:video/mp4;base64,ZmlsbQ==" in page.links
    assert "data:image/png;base64,c3RyaXA=" in page.links
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert not re.search(r"@import|url\((?!#|\"data)", text)


def test_it_says_what_the_runs_say(tmp_path):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", seed=1, polyak=0.9)]
    write_report(tmp_path / "r.html", runs, dict.fromkeys(runs, "no OpenGL <here>"))
    text = (tmp_path / "r.html").read_text()
    assert "<td>0.980 [0.970, 0.990]</td><td>100</td><td>60k</td><td>60k</td>" in text
    assert "No film: no OpenGL &lt;here&gt;" in text
    assert "<td>config.learner.polyak</td><td>0.8</td><td>0.9</td>" in text
    assert "rpl train push --x &#x27;&lt;&amp;&gt;&#x27;" in text
    assert "Commit abc123; mujoco 4.0." in text
    assert text.count("<details>") == 2


def test_a_row_without_a_policy_is_reported_without_a_film(tmp_path, capfd):
    folder = make_run(tmp_path / "a")
    out = tmp_path / "r.html"
    assert run(["report", str(folder), "--out", str(out)]) == 0
    assert "holds no policy" in out.read_text()
    assert f"wrote {out}" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "name at least one run folder"),
        (("none",), 1, "none is not a run: it has no config.json"),
        (("none", "--films", "-1"), 2, "--films must not be negative"),
    ],
)
def test_mistakes_earn_a_sentence(words, code, sentence, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["report", *words]) == code
    assert sentence in capfd.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_a_planners_run_has_a_row_though_it_has_no_controller(tmp_path):
    shipped = Path(__file__).parents[2] / "results/mbrl-pusher/pets/seed0"
    write_report(tmp_path / "report.html", [shipped], {shipped: "a planner"})
    cells = re.findall(r"<td>(.*?)</td>", (tmp_path / "report.html").read_text())
    row = cells[: len(("run", "metric", "controller", "level", "policy", "n", "steps", "to"))]
    assert row[1:4] == ["return", "doing nothing", "-"]
    assert float(row[4]) == pytest.approx(-80.0, abs=20.0)
    assert row[7] == "-"
