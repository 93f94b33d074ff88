"""Replay of whole episodes; hindsight is a rule for sampling from it (paper, III)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rpl.observations import (
    ACHIEVED_GOAL,
    BASE_ACTION,
    DESIRED_GOAL,
    OBSERVATION,
    Arrays,
    Observation,
)
from rpl.replay.batch import Batch, Drawn, mapped
from rpl.replay.ends import Ends, ending_where_paid, most_before_the_last
from rpl.replay.hindsight import GoalRules
from rpl.replay.ring import Ring

Ask = Callable[[Observation], np.ndarray]
"""What the base policy would do, (n, action_dim), for observations made of what is stored."""


class Replay(Ring):
    """A ring of episodes to draw transitions from; see ``Ring`` for how it is made.

    Goals are relabelled with the "future" strategy: the goal of a transition at time t becomes the
    one achieved at a time uniform over t + 1 .. length of the same episode, and the rewards are
    computed anew. Where episodes end at their goal, a goal that was there already at time t is none
    to learn from, since its episode would have ended: the transition keeps its own. Actions stay
    as they happened; base actions become what the base policy would do for the new goal if it can
    be asked, and else stay too.

    Over n steps the reward is the sum over k < m of discount^k r_(t+k), all for the same goal, with
    m the least of n and what would be left of the episode with that goal, and the next observation
    is the m-th. The actions between are those of older policies with noise, and were meant for the
    episode's own goal: with n > 1 the target is biased by as much.
    """

    def sample(
        self,
        shape: tuple[int, ...],
        generator: np.random.Generator,
        hindsight: float,
        rules: GoalRules,
        *,
        newest: int | None = None,
        n_step: int = 1,
        discount: float = 1.0,
        ask: Ask | None = None,
    ) -> Batch[np.ndarray]:
        """Transitions drawn uniformly over steps, their goals relabelled.

        Args:
            shape: leading shape of the result, such as (updates, batch).
            generator: source of randomness.
            hindsight: the probability of another goal, 0 to 1.
            rules: what the task pays and when it ends.
            newest: draw from the newest episodes only.
            n_step: n.
            discount: gamma.
            ask: the base policy, if it is a function of what is stored.
        """
        rules = self.with_ends(rules) if hindsight > 0.0 else rules
        drawn = self._drawn(int(np.prod(shape)), generator, hindsight, newest, rules)
        reward, taken, terminated = self._sum(drawn, n_step, discount, rules)
        ends = drawn._replace(t=drawn.t + taken)
        (seen, base), (next_seen, next_base) = (self._shown_at(at, ask) for at in (drawn, ends))
        batch = Batch(
            observation=seen,
            base_action=base,
            action=self._arrays["action"][self._row(drawn.episode, drawn.t)],
            reward=reward,
            next_observation=next_seen,
            next_base_action=next_base,
            terminated=terminated,
            discount=np.power(discount, taken).astype(np.float32),
        )
        return mapped(lambda part: part.reshape(*shape, *part.shape[1:]), batch)

    def _drawn(
        self,
        count: int,
        generator: np.random.Generator,
        hindsight: float,
        newest: int | None,
        rules: GoalRules,
    ) -> Drawn:
        """Steps, and their goals as relabelled."""
        at = self._arrays
        episode, t = self._draw_steps(count, generator, newest)
        relabelled = generator.random(count) < hindsight
        # Drawn whether used or not, so that the share of hindsight changes nothing else.
        future = t + 1 + np.floor(generator.random(count) * (at["length"][episode] - t)).astype(int)
        if DESIRED_GOAL not in at:
            return Drawn(episode, t, None, relabelled)
        later = at[ACHIEVED_GOAL][self._row(episode, future)]
        relabelled &= ~self._there_before(Drawn(episode, t, None, relabelled), later, rules)
        goal = np.where(relabelled[:, None], later, at[DESIRED_GOAL][self._row(episode, t)])
        return Drawn(episode, t, goal, relabelled)

    def _there_before(self, drawn: Drawn, goal: np.ndarray, rules: GoalRules) -> np.ndarray:
        """Which relabelled steps, (n,) bool, would not be: their goals ended the episode before."""
        there = np.zeros(len(drawn.t), bool)
        asked = np.flatnonzero(drawn.relabelled & (drawn.t > 0))
        if rules.compute_terminated is not None and asked.size:
            achieved, info = self._outcome(drawn.after(-1, asked))
            there[asked] = rules.compute_terminated(achieved, goal[asked], info)
        return there

    def _shown_at(self, drawn: Drawn, ask: Ask | None) -> tuple[Arrays, np.ndarray | None]:
        """What the learner is shown at these steps, and the base actions there."""
        row = self._row(drawn.episode, drawn.t)
        base = self._base(row, drawn, ask)
        return self._seen(row, drawn.goal, base), base

    def _seen(self, row: np.ndarray, goal: np.ndarray | None, base: np.ndarray | None) -> Arrays:
        """What the learner is shown at these rows, with these goals and base actions."""
        anew = {DESIRED_GOAL: goal, BASE_ACTION: base}
        return {
            name: self._arrays[ours][row] if (part := anew.get(name)) is None else part
            for name, ours in self._parts.items()
        }

    def _base(self, row: np.ndarray, drawn: Drawn, ask: Ask | None) -> np.ndarray | None:
        """The base actions at these rows, (n, base_size); asked anew for relabelled goals."""
        base = self._arrays[BASE_ACTION][row]
        if not base.size:
            return None
        anew = np.flatnonzero(drawn.relabelled)
        if ask is None or drawn.goal is None or not anew.size:
            return base
        parts = {name: self._arrays[ours][row[anew]] for name, ours in self._parts.items()}
        parts |= {
            DESIRED_GOAL: drawn.goal[anew],
            ACHIEVED_GOAL: self._arrays[ACHIEVED_GOAL][row[anew]],
        }
        parts.pop(BASE_ACTION, None)
        base[anew] = ask(parts)
        return base

    def _sum(
        self, drawn: Drawn, n_step: int, discount: float, rules: GoalRules
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each drawn run: the discounted rewards, the steps taken, and 1 where it ended."""
        at, episode = self._arrays, drawn.episode
        taken = np.minimum(n_step, at["length"][episode] - drawn.t)
        reward = np.zeros(len(episode), np.float32)
        terminated = np.zeros(len(episode), np.float32)
        for k in range(min(n_step, int(taken.max(initial=0)))):
            going = np.flatnonzero(k < taken)
            now = drawn.after(k, going)
            reward[going] += np.float32(discount**k) * self._rewards(now, rules)
            ended = self._ended(now, rules)
            terminated[going] = ended
            taken[going[ended]] = k + 1
        return reward, taken, terminated

    def _rewards(self, now: Drawn, rules: GoalRules) -> np.ndarray:
        """The rewards (n,) of the drawn steps, anew where the goal was relabelled."""
        reward = self._arrays["reward"][self._row(now.episode, now.t)].astype(np.float32)
        if now.goal is None:
            return reward
        achieved, info = self._outcome(now)
        recomputed = rules.compute_reward(achieved, now.goal, info)
        return np.where(now.relabelled, recomputed, reward).astype(np.float32)

    def _ended(self, now: Drawn, rules: GoalRules) -> np.ndarray:
        """Whether the drawn steps ended their episodes, (n,) bool, or would have with their goal.

        What ended for another reason than its own goal ends with any goal.
        """
        last = now.t + 1 == self._arrays["length"][now.episode]
        ended = last & self._arrays["terminated"][now.episode]
        relabelled = np.flatnonzero(now.relabelled)
        if rules.compute_terminated is None or now.goal is None or not relabelled.size:
            return ended
        asked = now.after(0, relabelled)
        achieved, info = self._outcome(asked)
        own_goal = self._arrays[DESIRED_GOAL][self._row(asked.episode, asked.t)]
        at_own_goal = rules.compute_terminated(achieved, own_goal, info)
        at_goal = rules.compute_terminated(achieved, now.goal[relabelled], info)
        ended[relabelled] = at_goal | (ended[relabelled] & ~at_own_goal)
        return ended

    def with_ends(self, rules: GoalRules) -> GoalRules:
        """The rules, with what the episodes say of ends; see ``ending_where_paid``.

        As they are where they say so themselves, and without goals.
        """
        at = self._arrays
        if rules.compute_terminated is not None or DESIRED_GOAL not in at:
            return rules
        slots = (self._stored - 1 - np.arange(self._shown)) % self._slots
        ended = slots[at["terminated"][slots]]
        if not ended.size:
            return rules
        last = at["length"][ended] - 1
        goal = at[DESIRED_GOAL][self._row(ended, last)]
        achieved, info = self._outcome(Drawn(ended, last, goal, np.zeros(len(ended), bool)))
        ends = Ends(at["reward"][self._row(ended, last)], achieved, goal, info)
        start, length = at["start"][slots], at["length"][slots]
        most = most_before_the_last(at["reward"], start, length, self._rows)
        return ending_where_paid(rules, most, ends)

    def _outcome(self, now: Drawn) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """What the drawn steps achieved, and what rules may ask about them besides."""
        at = self._arrays
        row, after = self._row(now.episode, now.t), self._row(now.episode, now.t + 1)
        return at[ACHIEVED_GOAL][after], {
            "observation": at[OBSERVATION][after],
            "action": at["action"][row],
        }

    def _draw_steps(
        self, count: int, generator: np.random.Generator, newest: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slots and times of ``count`` stored steps, each step equally likely."""
        shown = len(self) if newest is None else min(newest, len(self))
        if shown == 0:
            raise ValueError("the replay is empty: store episodes before sampling")
        slots = (self._stored - shown + np.arange(shown)) % self._slots
        ends = np.cumsum(self._arrays["length"][slots])
        step = generator.integers(ends[-1], size=count)
        which = np.searchsorted(ends, step, side="right")
        start = ends[which] - self._arrays["length"][slots[which]]
        return slots[which], step - start
