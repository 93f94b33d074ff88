"""``rpl eval`` of a folder of runs: each on the same unseen episodes, and all together."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from rpl.cli.output import plain_table
from rpl.rollout.evaluate import MEAN, Interval
from rpl.settings import Record

Report = Record
"""What ``rpl eval --json`` prints of one run."""


def print_reports(reports: Mapping[str, Report]) -> None:
    """Prints a table of the runs, by their names."""
    from rpl.viz.statistics import with_interval  # SciPy is slow to import

    middles = interquartile_means(list(reports.values()))
    table = plain_table("run", numbers=("controller", "policy [95 %]", "difference [95 %]", ""))
    for name, report in reports.items():
        table.add_row(*map(Text, _row(name, report)))
    if middles:
        table.add_row("IQM", *(with_interval(*middles[name]) for name in middles))
    Console().print(table)


def as_json(reports: Mapping[str, Report]) -> Record:
    """What ``--json`` prints of the runs, by their names."""
    middles = interquartile_means(list(reports.values()))
    return {"runs": reports, "interquartile_mean": middles}


def interquartile_means(reports: Sequence[Report]) -> dict[str, tuple[float, Interval | None]]:
    """Of controller, policy and difference over the runs, with bootstrap intervals.

    None where the runs were not judged by the same, or one has no policy.
    """
    from rpl.viz.statistics import interquartile_mean

    judged = {report["judged_by"] for report in reports}
    if len(judged) > 1 or not all(report["policy"] for report in reports):
        return {}
    key = MEAN[reports[0]["judged_by"]]
    return {
        name: interquartile_mean([np.array([report[name][key] for report in reports])])
        for name in ("controller", "policy", "difference")
    }


def _row(name: str, report: Report) -> tuple[str, ...]:
    from rpl.viz.statistics import number, with_interval

    key, interval = MEAN[report["judged_by"]], f"{report['judged_by']}_interval"
    controller = number(report["controller"][key])
    if report["policy"] is None:
        return name, controller, "", "", ""
    parts = (with_interval(report[n][key], report[n][interval]) for n in ("policy", "difference"))
    return name, controller, *parts, report["verdict"]
