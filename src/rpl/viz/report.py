"""One page on some runs that needs nothing beside it: curves, numbers, films, settings."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from pathlib import Path

from rpl.errors import whole_file
from rpl.runs.files import read_config
from rpl.runs.settings import flat
from rpl.settings import Record
from rpl.viz.curves import draw_curves, seeds_of_one
from rpl.viz.run_data import LEVEL, RunData, format_steps, metric_of_runs, read_run
from rpl.viz.statistics import (
    NOTHING,
    end_of,
    final_of,
    number,
    seeds_table,
    steps_to_level,
)

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #18181b; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .9rem; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
svg, img, video { max-width: 100%; height: auto; }
pre, code { font-size: .85rem; background: #f4f4f5; } pre { padding: .6rem; overflow-x: auto; }
.missing { color: #666; }
"""


@dataclass(frozen=True)
class Pictures:
    """What is shown of a run in motion."""

    film: bytes
    """mp4"""
    strip: bytes
    """png"""


def write_report(
    path: Path, folders: Sequence[Path], pictures: Mapping[Path, Pictures | str]
) -> None:
    """Writes the page (.html) on some runs, with each one's film or why there is none.

    Raises:
        ValueError: if there is no folder, or one is not a run.
    """
    runs = [read_run(folder) for folder in folders]
    records = [read_config(folder) for folder in folders]
    parts = [
        "<h2>Learning curves</h2>",
        _curves(folders),
        "<h2>Where they ended</h2>",
        _numbers(runs),
        *map(_together, seeds_of_one(runs)),
        "<h2>On the same episodes</h2>",
        *(_pictures(run, pictures[folder]) for run, folder in zip(runs, folders, strict=True)),
        "<h2>Settings</h2>",
        _differences(runs, records),
        *map(_settings, runs, records),
    ]
    title = escape(", ".join(dict.fromkeys(run.task for run in runs)))
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>rpl: {title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head>\n<body><h1>Residual policy learning: {title}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    with whole_file(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _curves(folders: Sequence[Path]) -> str:
    drawing = StringIO()
    draw_curves(folders, drawing, format="svg")
    svg = drawing.getvalue()
    return svg[svg.index("<svg") :]


def _name(run: RunData) -> str:
    return f"{run.task}, {run.method}, seed {run.seed}"


def _numbers(runs: Sequence[RunData]) -> str:
    header = (
        *("run", "judged by", "controller", "its level", "policy [95 %]", "episodes"),
        *("steps", f"steps to {LEVEL}"),
    )
    return _table(header, [_row(run) for run in runs])


def _together(seeds: Sequence[RunData]) -> str:
    """Some seeds' ends, and their interquartile mean."""
    head, rows = seeds_table(seeds)
    title = f"{seeds[0].task}, {seeds[0].method}: {len(seeds)} seeds, and their interquartile mean"
    return f"<h3>{escape(title)}</h3>{_table(head, rows)}"


def _row(run: RunData) -> list[str]:
    metric = metric_of_runs([run])
    controller, policy = end_of(run, metric)
    episodes = run.columns.get("evaluation_episodes")
    return [
        *(_name(run), metric, run.controller, number(controller), final_of(run, metric, policy)),
        NOTHING if episodes is None else f"{episodes[-1]:.0f}",
        *(format_steps(run.steps[-1]), steps_to_level([run], metric)),
    ]


def _pictures(run: RunData, shown: Pictures | str) -> str:
    title = f"<h3>{escape(_name(run))}</h3>"
    if isinstance(shown, str):
        return f'{title}<p class="missing">No film: {escape(shown)}</p>'
    film, strip = (base64.b64encode(data).decode() for data in (shown.film, shown.strip))
    return (
        f'{title}<video controls muted loop src="data:video/mp4;base64,{film}"></video>\n'
        f'<p><img alt="The controller above, the policy below, on the same episode" '
        f'src="data:image/png;base64,{strip}"></p>'
    )


def _differences(runs: Sequence[RunData], records: Sequence[Record]) -> str:
    """The settings in which the runs differ, if there are several."""
    if len(runs) < 2:
        return ""
    parts = ("preset", "controller", "task_options", "controller_options", "config")
    settings = [flat({k: record[k] for k in parts if k in record}) for record in records]
    names = sorted(set().union(*settings) - {"config.seed"})  # each run's name says its seed
    first, *others = settings
    differing = [n for n in names if any(first.get(n) != values.get(n) for values in others)]
    if not differing:
        return "<p>All runs have the same settings.</p>"
    rows = [[name, *(str(values.get(name, "-")) for values in settings)] for name in differing]
    return "<p>They differ in:</p>" + _table(("setting", *map(_name, runs)), rows)


def _settings(run: RunData, record: Record) -> str:
    command = escape(str(record.get("command", "unknown")))
    versions = ", ".join(f"{k} {v}" for k, v in record.get("versions", {}).items())
    return (
        f"<h3>{escape(_name(run))}</h3><pre>{command}</pre>"
        f"<p>Commit {escape(str(record.get('commit')))}; {escape(versions)}.</p>"
        "<details><summary>Every setting</summary>"
        f"<pre>{escape(json.dumps(record, indent=2))}</pre></details>"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"
