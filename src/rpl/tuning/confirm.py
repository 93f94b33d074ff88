"""What a search has found, told from luck: on episodes that did not choose it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rpl.controllers.settings import Setting, Value, Values
from rpl.rollout.evaluate import Outcome, compared, paired_difference
from rpl.rollout.seeds import training_seeds
from rpl.settings import Record
from rpl.tuning.play import Play, Refused
from rpl.tuning.search import ROUND, Interrupted, Journal, Tried, rank

STARTS_AT = 1_000_000  # training episodes: further than any search goes
FINALISTS = 3  # of the search that play on, beside the shipped settings
MOST = 210  # episodes of each


class Remembering:
    """Plays episodes once, and gives their outcome back where a killed search goes on.

    Args:
        seeds: the episodes.
        stage: what they are for, one word.
        on_played: is told how many episodes were played.
    """

    def __init__(
        self,
        journal: Journal,
        play: Play,
        seeds: Sequence[int],
        stage: str,
        on_played: Callable[[int], None] = lambda count: None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._journal, self._play, self._seeds, self._stage = journal, play, seeds, stage
        self._on_played, self._interrupted = on_played, interrupted
        self.episodes = self.steps = 0
        """Played in all, whenever it was."""
        self._seen: dict[str, Outcome] = {}

    def __call__(self, values: Values) -> Outcome:
        """The outcome of these settings.

        Raises:
            Interrupted: if it would have to be played now.
        """
        key = f"{self._stage} {json.dumps(dict(values), sort_keys=True)}"
        if key not in self._seen:
            outcome = self._journal.played(key)
            if outcome is None:
                if self._interrupted():
                    raise Interrupted
                outcome = self._play(values, self._seeds)
                self._journal.keep_played(key, outcome)
            self._seen[key] = outcome
            self.episodes += len(self._seeds)
            self.steps += self._seen[key].steps
            self._on_played(len(self._seeds))
        return self._seen[key]


@dataclass(frozen=True)
class Confirmed:
    """The settings that a search has led to."""

    values: dict[str, Value]
    """All of them; as shipped where no others were shown to be better."""
    changed: Record
    """Of each that is not as shipped: the paired difference that it makes; None where the others
    cannot be played without it."""
    outcome: Outcome
    shipped: Outcome
    verdict: str
    """Of the best settings found against the shipped ones; see ``rpl.rollout.evaluate.verdict``."""


def episodes_left(settings: Mapping[str, Setting], episodes: int) -> int:
    """Episodes that each of those who may play can have, in whole rounds."""
    each = min(episodes // (1 + FINALISTS + len(settings)), MOST)
    return each // ROUND * ROUND


def finalists(before: Sequence[Tried], shipped: Values, metric: str) -> list[Values]:
    """The best of a search, the best one first; settings that solve as much by their return."""
    others = [one for one in before if one.whole and one.values != shipped]
    found: list[Values] = []
    for one in sorted(others, key=lambda one: rank(one.outcome, metric), reverse=True):
        if one.values not in found:
            found.append(one.values)
    return found[:FINALISTS]


def confirm(
    played: Callable[[Values], Outcome], found: Sequence[Values], shipped: Values, metric: str
) -> Confirmed:
    """The best of the finalists, with as many settings as shipped as cost nothing.

    Args:
        played: what settings come to in fresh training episodes, the same for all.
        found: the finalists.
        shipped: the controller's own values.
        metric: what makes one better than another.
    """
    level = played(shipped)
    best = max(found, key=lambda values: rank(played(values), metric), default=shipped)
    best, changed = _simplest(played, dict(best), shipped, metric)
    outcome = played(best)
    _, said = compared(outcome, level, metric)
    if said != "better":
        return Confirmed(dict(shipped), {}, level, level, said)
    return Confirmed(best, changed, outcome, level, said)


def _simplest(
    played: Callable[[Values], Outcome], best: dict[str, Value], shipped: Values, metric: str
) -> tuple[dict[str, Value], Record]:
    """Puts settings back, one by one, where that costs nothing; what each of the others is worth.

    So what is left is what was wrong.
    """
    worth: Record = {}
    for name in [name for name in best if best[name] != shipped[name]]:
        back = best | {name: shipped[name]}
        try:
            without = played(back)
        except Refused:  # it is needed: what it is worth cannot be played
            worth[name] = None
            continue
        if without.level(metric) >= played(best).level(metric):
            best = back
        else:
            worth[name] = paired_difference(played(best), without)
    return best, worth


def fresh_seeds(seed: int, count: int) -> list[int]:
    """Training episodes that no search has seen."""
    return training_seeds(seed, STARTS_AT, count)
