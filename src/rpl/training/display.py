"""What a person sees while a run trains: a live display on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rpl.problem import Metric
from rpl.settings import Record
from rpl.training.console import say
from rpl.training.progress import Progress as RunProgress

SECONDS_BETWEEN_LINES = 15.0
NUMBERS = ("critic_loss", "actor_loss", "mean_q")


class Display:
    """Where a run stands: a bar with the latest numbers, or a line now and then in a pipe.

    Evaluations and trials are lines of their own; on a terminal they scroll above the bar.

    Args:
        metric: the outcome that says how good a policy is.
        baseline: whose level stands beside the policy's.
        trials: of a planner's run; what else a run reports are evaluations.
    """

    def __init__(
        self,
        console: Console,
        steps: int,
        metric: Metric = "success",
        baseline: str = "controller",
        trials: int = 0,
    ) -> None:
        self._console, self._steps, self._trials = console, steps, trials
        self._metric: Metric = metric
        self._baseline = baseline
        self._speed = Speed()
        self._numbers: dict[str, str] = {}
        self._printed = self._evaluating = 0.0
        self._bar = make_bar(console)
        self._task = self._bar.add_task("planning" if trials else "training", total=steps)
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
            self._redraw()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def on_cycle(self, progress: RunProgress, metrics: Mapping[str, float]) -> None:
        """Shows where a learner's run stands, and the cycle's numbers."""
        exploring = metrics.get(f"exploring_{self._metric}")
        if exploring is not None:  # the policy may have acted alone
            self._numbers["exploring"] = f"{exploring:.2f}"
        self._numbers |= {
            name.replace("_", " "): f"{metrics[name]:.3f}" for name in NUMBERS if name in metrics
        }
        if progress.dropped_episodes:
            self._numbers["dropped"] = str(progress.dropped_episodes)
        phase = "burn-in" if progress.burning_in else "training"
        self._bar.update(self._task, description=phase)
        self.on_step(progress.environment_steps, " (burn-in)" if progress.burning_in else "")

    def on_step(self, environment_steps: int, phase: str = "") -> None:
        """Moves the bar, or prints a line if the last one is some time ago."""
        self._speed.update(environment_steps)
        speed = f"{self._speed.value:.{0 if self._speed.value >= 10 else 1}f}"
        self._bar.update(self._task, completed=environment_steps)
        if self._live:
            self._numbers["steps/s"] = speed
            self._redraw()
        elif time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES:
            self._printed = time.monotonic()
            left = clock(self._speed.seconds_for(self._steps - environment_steps))
            numbers = (f"  {name} {value}" for name, value in self._numbers.items())
            self.on_note(
                f"step {environment_steps:,} of {self._steps:,}{phase}  {speed} steps/s  "
                f"{left} left{''.join(numbers)}"
            )

    def on_evaluating(self, whose: str, share: float) -> None:
        """Says how far an evaluation is; in a pipe only if it takes its time."""
        self._bar.update(self._task, description=f"evaluating {whose} {share:4.0%}")
        now = time.monotonic()
        if share == 0.0:
            self._evaluating = now
        elif self._live is None and now - self._evaluating >= SECONDS_BETWEEN_LINES:
            self._evaluating = now
            self.on_note(f"evaluating {whose}: {share:.0%} of the episodes")

    def on_evaluation(self, row: Record) -> None:
        """Prints an evaluation."""
        self._bar.update(self._task, description="training")
        self.on_note(evaluation_line(row, self._metric, self._baseline))
        if self._live:
            policy, controller = (f"{who}_{self._metric}" for who in ("policy", "controller"))
            levels = {
                "policy": f"[bold green]{row[policy]:.2f}[/]",
                self._baseline: f"{row[controller]:.2f}",
            }
            self._numbers = levels | {k: v for k, v in self._numbers.items() if k not in levels}
            self._redraw()

    def on_trial(self, row: Record) -> None:
        """Prints what a trial earned."""
        self._printed = time.monotonic()
        self.on_note(trial_line(row, self._trials))

    def on_note(self, sentence: str) -> None:
        """Prints it."""
        say(self._console, sentence)

    def _redraw(self) -> None:
        table = Table.grid(padding=(0, 2))
        for _ in self._numbers:
            table.add_column(justify="right")
        if self._numbers:
            table.add_row(*(f"[dim]{name}[/dim]" for name in self._numbers))
            table.add_row(*self._numbers.values())
        if self._live:
            self._live.update(Group(self._bar, table))


def make_bar(console: Console) -> Progress:
    """A bar of environment steps with the time that is left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} / {task.total:,.0f} steps"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        console=console,
    )


class Speed:
    """Environment steps per second, smoothed; what was done before a resume does not count."""

    def __init__(self) -> None:
        self.value = 0.0
        self._last: tuple[float, int] | None = None

    def update(self, steps: int) -> None:
        """Takes note of the steps done by now."""
        now = time.monotonic()
        if self._last is not None and now > self._last[0]:
            current = (steps - self._last[1]) / (now - self._last[0])
            self.value = current if self.value == 0.0 else 0.9 * self.value + 0.1 * current
        self._last = (now, steps)

    def seconds_for(self, steps: int) -> float | None:
        """Time that ``steps`` will take, none if negative, or None before the speed is known."""
        return max(0, steps) / self.value if self.value > 0 else None


def evaluation_line(row: Record, metric: Metric, baseline: str) -> str:
    """An evaluation in one line."""
    names = ("policy_{}", "policy_{}_low", "policy_{}_high", "controller_{}")
    policy, low, high, controller = (row[name.format(metric)] for name in names)
    fine, coarse = (".3f", ".2f") if metric == "success" else (".2f", ".1f")
    return (
        f"{row['environment_steps']:>9,} steps: policy {policy:{fine}} "
        f"[{low:{coarse}}, {high:{coarse}}], {baseline} {controller:{fine}} "
        f"({row['evaluation_episodes']} episodes{', burn-in' if row['burning_in'] else ''})"
    )


def trial_line(row: Record, trials: int) -> str:
    """A planner's trial in one line."""
    earned = "diverged" if row["trial_return"] is None else f"{row['trial_return']:.1f}"
    if row["policy_return"] is None and row["trial_return"] is not None:
        earned += " in a short trial"
    best = "" if row["best_return"] is None else f", best {row['best_return']:.1f}"
    error = float("nan") if row["model_error"] is None else row["model_error"]
    return f"trial {row['epoch'] + 1} of {trials}: return {earned}{best}, model error {error:.2g}"


def clock(seconds: float | None) -> str:
    """h:mm:ss, or dashes when unknown."""
    if seconds is None:
        return "-:--:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"
