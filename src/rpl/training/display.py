"""What a person sees while a run trains: a live display on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rpl.problem import JudgedBy
from rpl.training.progress import Progress as RunProgress

SECONDS_BETWEEN_LINES = 15.0


class PlainDisplay:
    """One line now and then, for logs and pipes."""

    def __init__(
        self, console: Console, total_steps: int, judged_by: JudgedBy, compared_with: str
    ) -> None:
        self._console = console
        self._total = total_steps
        self._judged_by: JudgedBy = judged_by
        self._compared_with = compared_with
        self._speed = Speed()
        self._printed = 0.0
        self._evaluating = 0.0

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def on_cycle(self, progress: RunProgress, metrics: dict[str, float]) -> None:
        """Prints a line if the last one is some time ago."""
        self._speed.update(progress.environment_steps)
        if time.monotonic() - self._printed < SECONDS_BETWEEN_LINES:
            return
        self._printed = time.monotonic()
        left = self._speed.seconds_for(self._total - progress.environment_steps)
        phase = " (burn-in)" if progress.burning_in else ""
        self._console.print(
            f"step {progress.environment_steps:,} of {self._total:,}{phase}  "
            f"{self._speed.value:.0f} steps/s  {clock(left)} left  "
            f"exploring {metrics.get(f'exploring_{self._judged_by}', 0.0):.2f}  "
            f"critic loss {metrics.get('critic_loss', float('nan')):.3f}  "
            f"Q {metrics.get('mean_q', float('nan')):.2f}"
            + (f"  {progress.dropped_episodes} dropped" if progress.dropped_episodes else ""),
            highlight=False,
            soft_wrap=True,
        )

    def on_evaluating(self, whose: str, share: float) -> None:
        """Prints a line if the evaluation has begun, or the last one was, some time ago."""
        now = time.monotonic()
        if share == 0.0:
            self._evaluating = now
        elif now - self._evaluating >= SECONDS_BETWEEN_LINES:
            self._evaluating = now
            line = f"evaluating {whose}: {share:.0%} of the episodes"
            self._console.print(line, highlight=False, soft_wrap=True)

    def on_evaluation(self, row: dict[str, Any]) -> None:
        """Prints the evaluation."""
        self.on_note(evaluation_line(row, self._judged_by, self._compared_with))

    def on_note(self, sentence: str) -> None:
        """Prints it."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)


class LiveDisplay:
    """A progress bar and the latest numbers, redrawn in place; evaluations scroll above it."""

    def __init__(
        self, console: Console, total_steps: int, judged_by: JudgedBy, compared_with: str
    ) -> None:
        self._judged_by: JudgedBy = judged_by
        self._compared_with = compared_with
        self._bar = make_bar(console)
        self._task = self._bar.add_task("training", total=total_steps)
        self._speed = Speed()
        self._numbers: dict[str, str] = {}
        self._live = Live(self._view(), console=console, refresh_per_second=4)

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _view(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for _ in self._numbers:
            table.add_column(justify="right")
        if self._numbers:
            table.add_row(*(f"[dim]{name}[/dim]" for name in self._numbers))
            table.add_row(*self._numbers.values())
        return Group(self._bar, table)

    def on_cycle(self, progress: RunProgress, metrics: dict[str, float]) -> None:
        """Moves the bar and shows the cycle's numbers."""
        self._speed.update(progress.environment_steps)
        phase = "burn-in" if progress.burning_in else "training"
        self._bar.update(self._task, completed=progress.environment_steps, description=phase)
        self._numbers |= {
            "exploring": f"{metrics.get(f'exploring_{self._judged_by}', 0.0):.2f}",
            "critic loss": f"{metrics.get('critic_loss', float('nan')):.3f}",
            "actor loss": f"{metrics.get('actor_loss', float('nan')):.3f}",
            "mean Q": f"{metrics.get('mean_q', float('nan')):.2f}",
            "steps/s": f"{self._speed.value:.0f}",
        }
        if progress.dropped_episodes:
            self._numbers["dropped"] = str(progress.dropped_episodes)
        self._live.update(self._view())

    def on_evaluating(self, whose: str, share: float) -> None:
        """Says in front of the bar how far it is."""
        self._bar.update(self._task, description=f"evaluating {whose} {share:4.0%}")

    def on_evaluation(self, row: dict[str, Any]) -> None:
        """Prints the evaluation above the bar."""
        self._bar.update(self._task, description="training")
        levels = {
            "policy": f"[bold green]{row[f'policy_{self._judged_by}']:.2f}[/]",
            self._compared_with: f"{row[f'controller_{self._judged_by}']:.2f}",
        }
        self._numbers = levels | {k: v for k, v in self._numbers.items() if k not in levels}
        self.on_note(evaluation_line(row, self._judged_by, self._compared_with))
        self._live.update(self._view())

    def on_note(self, sentence: str) -> None:
        """Prints it above the bar."""
        self._live.console.print(sentence, markup=False, highlight=False)


class TrialDisplay:
    """Where a run of few, slow episodes stands: a line a trial, and within it now and then.

    On a terminal the running trial is a bar.
    """

    def __init__(self, console: Console, trials: int, steps: int) -> None:
        self._console, self._trials, self._steps = console, trials, steps
        self._speed = Speed()
        self._printed = time.monotonic()
        self._bar = make_bar(console)
        self._task = self._bar.add_task("planning", total=steps)

    def __enter__(self) -> TrialDisplay:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_step(self, environment_steps: int) -> None:
        """Moves the bar, or prints a line if the last one is some time ago."""
        self._speed.update(environment_steps)
        self._bar.update(self._task, completed=environment_steps)
        quiet = time.monotonic() - self._printed < SECONDS_BETWEEN_LINES
        if self._console.is_terminal or quiet:
            return
        left = clock(self._speed.seconds_for(self._steps - environment_steps))
        self._print(
            f"step {environment_steps:,} of {self._steps:,}  "
            f"{self._speed.value:.1f} steps/s  {left} left"
        )

    def on_trial(self, row: dict[str, Any]) -> None:
        """Prints what the trial earned."""
        earned = "diverged" if row["trial_return"] is None else f"{row['trial_return']:.1f}"
        if row["policy_return"] is None and row["trial_return"] is not None:
            earned += " in a short trial"
        best = "" if row["best_return"] is None else f", best {row['best_return']:.1f}"
        error = float("nan") if row["model_error"] is None else row["model_error"]
        self._print(
            f"trial {row['epoch'] + 1} of {self._trials}: return {earned}{best}, "
            f"model error {error:.2g}"
        )

    def _print(self, line: str) -> None:
        self._printed = time.monotonic()
        self._console.print(line, highlight=False, soft_wrap=True)


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


def make_display(
    console: Console, total_steps: int, judged_by: JudgedBy, compared_with: str = "controller"
) -> LiveDisplay | PlainDisplay:
    """The display for where the output goes, with the numbers that the task is judged by."""
    display = LiveDisplay if console.is_terminal else PlainDisplay
    return display(console, total_steps, judged_by, compared_with)


def evaluation_line(row: dict[str, Any], judged_by: JudgedBy, compared_with: str) -> str:
    """An evaluation in one line."""
    policy, low, high, controller = (
        row[f"{name}_{judged_by}{end}"]
        for name, end in (
            ("policy", ""),
            ("policy", "_low"),
            ("policy", "_high"),
            ("controller", ""),
        )
    )
    fine, coarse = (".3f", ".2f") if judged_by == "success" else (".2f", ".1f")
    return (
        f"{row['environment_steps']:>9,} steps: policy {policy:{fine}} "
        f"[{low:{coarse}}, {high:{coarse}}], {compared_with} {controller:{fine}} "
        f"({row['evaluation_episodes']} episodes{', burn-in' if row['burning_in'] else ''})"
    )


def clock(seconds: float | None) -> str:
    """h:mm:ss, or dashes when unknown."""
    if seconds is None:
        return "-:--:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"
