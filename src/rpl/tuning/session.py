"""A tuning from where it stands to its result: search, confirm, judge on held-out episodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rpl.controllers.settings import Values
from rpl.errors import check_settings
from rpl.rollout.evaluate import compared
from rpl.rollout.seeds import evaluation_seeds
from rpl.settings import Record
from rpl.training.console import say
from rpl.training.display import SECONDS_BETWEEN_LINES
from rpl.training.interruption import Interruption
from rpl.tuning import search as searching
from rpl.tuning.confirm import (
    FINALISTS,
    Confirmed,
    Remembering,
    confirm,
    episodes_left,
    finalists,
    fresh_seeds,
)
from rpl.tuning.folder import JOURNAL, TuningFolder
from rpl.tuning.play import Player
from rpl.tuning.search import Interrupted, Journal, Tried, rank, search

CONFIRMING = 0.25  # of the episodes


@dataclass(frozen=True)
class Budget:
    """How many episodes a tuning may play, and which."""

    episodes: int = 3000
    """Of training, in all: for the search, and to tell what it finds from luck."""
    evaluation_episodes: int = 500
    """Held out: they say in the end what the settings come to."""
    seed: int = 0
    """Decides what is tried, and chooses the episodes of training."""
    evaluation_seed: int = 1_000_000
    """Chooses the episodes that are held out."""

    @property
    def for_search(self) -> int:
        """What the search may spend."""
        return int(self.episodes * (1.0 - CONFIRMING))

    def check(self, settings: int) -> None:
        """Refuses so few episodes that they could tell nothing.

        Raises:
            InvalidValue: with how many are needed.
        """
        confirming = searching.ROUND * (1 + FINALISTS + settings) / CONFIRMING
        least = int(max(confirming, 2 * searching.MOST / (1.0 - CONFIRMING)))
        given = {"--episodes": self.episodes}
        check_settings(given, lambda count: count >= least, f"at least {least}")


def run_tuning(
    folder: TuningFolder, player: Player, budget: Budget, console: Console
) -> Record | None:
    """The result of a tuning, as its folder keeps it; None where it was interrupted."""
    journal = Journal(folder.path / JOURNAL)
    with (
        Display(console, budget.episodes, player.metric) as display,
        Interruption("setting", console) as asked,
    ):
        try:
            result = _Tuning(journal, player, budget, display, asked).result()
        except Interrupted:
            return None
    folder.finish(journal.tried, result)
    return result


@dataclass
class _Tuning:
    """The stages of a tuning, each from where it stands."""

    journal: Journal
    player: Player
    budget: Budget
    display: Display
    asked: Callable[[], bool]

    def result(self) -> Record:
        """What the folder keeps.

        Raises:
            Interrupted: if it was.
        """
        before = self._searched()
        spent = sum(len(one.outcome.success) for one in before)
        player, budget = self.player, self.budget
        shipped = {name: setting.default for name, setting in player.settings.items()}
        each = episodes_left(player.settings, budget.episodes - spent)
        fresh = self._remembering("fresh", fresh_seeds(budget.seed, each))
        found = finalists(before, shipped, player.metric)
        confirmed = confirm(fresh, found, shipped, player.metric)
        seeds = evaluation_seeds(budget.evaluation_seed, budget.evaluation_episodes)
        held_out = self._remembering("held-out", seeds)
        evaluation = _evaluation(held_out, confirmed.values, shipped, player.metric)
        return {
            "settings": confirmed.values,
            "metric": player.metric,
            "tried": len(before),
            "refused": sum(said is not None for said in self.journal.refused),
            "episodes": spent + fresh.episodes,
            "steps": sum(one.outcome.steps for one in before) + fresh.steps,
            "confirmed": _confirmed(confirmed, each),
            "evaluation": evaluation | {"seed": budget.evaluation_seed},
        }

    def _searched(self) -> list[Tried]:
        """All settings that were tried, once the search is over."""
        for one in self.journal.tried:
            self.display.on_tried(one, quiet=True)
        search(
            self.journal,
            self.player.settings,
            self.player,
            self.budget.for_search,
            self.budget.seed,
            self.display.on_tried,
            self.display.on_refused,
            self.asked,
        )
        return self.journal.tried

    def _remembering(self, stage: str, seeds: list[int]) -> Remembering:
        tell = self.display.on_played if stage == "fresh" else self.display.on_judged
        return Remembering(self.journal, self.player, seeds, stage, tell, self.asked)


def _confirmed(confirmed: Confirmed, episodes: int) -> Record:
    return {
        "episodes": episodes,
        "tuned": confirmed.outcome.summary(),
        "shipped": confirmed.shipped.summary(),
        "verdict": confirmed.verdict,
        "changed": confirmed.changed,
    }


def _evaluation(held_out: Remembering, tuned: Values, shipped: Values, metric: str) -> Record:
    """Tuned and shipped settings on the same held-out episodes."""
    level, policy = held_out(shipped), held_out(tuned)
    difference, verdict = compared(policy, level, metric)
    return {
        "episodes": len(level.success),
        "controller": level.summary(),
        "tuned": policy.summary(),
        "difference": difference,
        "verdict": verdict,
    }


class Display:
    """How far a tuning is: a bar on a terminal, a line now and then in a pipe.

    Args:
        metric: what makes settings better than others.
    """

    def __init__(self, console: Console, episodes: int, metric: str) -> None:
        self._console, self._episodes, self._metric = console, episodes, metric
        self._played, self._count, self._refused, self._printed = 0, 0, 0, 0.0
        self._best: Tried | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} / at most {task.total:,.0f} episodes"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("tuning", total=episodes)

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_tried(self, one: Tried, quiet: bool = False) -> None:
        """Counts settings that were tried, and says which are the best by now."""
        self._count += 1
        if one.whole and (self._best is None or self._rank(one) > self._rank(self._best)):
            self._best = one
        self.on_played(len(one.outcome.success), quiet)

    def on_refused(self, said: str) -> None:
        """Says once that the controller does not take all that is proposed."""
        if not self._refused:
            say(self._console, f"passed over, and so is what else the controller refuses: {said}")
        self._refused += 1

    def on_played(self, count: int, quiet: bool = False) -> None:
        """Counts episodes of training."""
        self._played += count
        said = f"{self._count} settings tried"
        if self._best is not None:
            values = ", ".join(f"{name} {value}" for name, value in self._best.values.items())
            said += f", best so far {self._rank(self._best)[0]:.2f} ({values})"
        self._bar.update(self._task, completed=self._played, description=said)
        due = time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES
        if due and not quiet and not self._console.is_terminal:
            self._printed = time.monotonic()
            say(self._console, f"episode {self._played:,} of at most {self._episodes:,}: {said}")

    def on_judged(self, count: int) -> None:
        """Says that held-out episodes were played, which are not counted."""
        if not self._console.is_terminal:
            say(self._console, f"{count:,} held-out episodes played")

    def _rank(self, one: Tried) -> tuple[float, float]:
        return rank(one.outcome, self._metric)
