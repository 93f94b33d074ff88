"""Collecting whole episodes; training, evaluation and planning all use this."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from gymnasium.vector import VectorEnv

from rpl.controllers.contract import Policy
from rpl.observations import Info, Observation, Seen, map_parts, rows_finite, width_of
from rpl.replay.episodes import Episodes, join
from rpl.tasks.success import reported

Tell = Callable[[float], None]
"""Is told in every step what share of the episodes is done."""


def collect(
    task: VectorEnv,
    policy: Policy,
    seeds: Sequence[int],
    horizon: int,
    base: Policy | None = None,
    tell: Tell = lambda share: None,
) -> Episodes:
    """Runs one episode per seed and returns them in the order of the seeds.

    More seeds than environments run in rounds. An episode depends on its seed and the
    policies alone.

    Args:
        task: a vector environment without autoreset, with actions in [-1, 1].
        policy: says what is executed.
        seeds: one per episode.
        horizon: the largest number of steps an episode may take.
        base: the base policy, asked before the policy in every step; None has none.
        tell: is told in every step what share of the episodes is done.
    """
    rounds = []
    for first in range(0, len(seeds), task.num_envs):
        wanted = np.arange(first, min(first + task.num_envs, len(seeds)))

        def tell_round(share: float, first: int = first, here: int = len(wanted)) -> None:
            tell((first + here * share) / len(seeds))

        # A last, partial round repeats episodes to fill the environments; extras are cut off.
        record = _Record(task, horizon, base is not None, np.resize(wanted, task.num_envs))
        rounds.append(_round(record, task, policy, base, seeds, len(wanted), tell_round))
    return join(rounds)


def _round(
    record: _Record,
    task: VectorEnv,
    policy: Policy,
    base: Policy | None,
    seeds: Sequence[int],
    keep: int,
    tell: Tell,
) -> Episodes:
    """Runs the episodes of ``record``, of which the first ``keep`` count."""
    # Gymnasium's annotation forgets the list of seeds that its vector environments take.
    observation, _ = task.reset(seed=[int(seeds[i]) for i in record.index])  # type: ignore[arg-type]
    begin = np.ones(task.num_envs, bool)
    for acting in (policy, base):
        if acting is not None:
            acting.reset(begin)
    observation, base_action = record.see(0, observation, base, begin)
    running = np.arange(task.num_envs) < keep
    for t in range(record.horizon):
        tell(t / record.horizon)
        action = policy(observation, base_action)
        observation, reward, terminated, truncated, info = task.step(action)
        record.act(t, action, reward, info, running)
        # Also after the last step: what comes next is bootstrapped from.
        observation, base_action = record.see(t + 1, observation, base, running)
        record.terminated |= running & terminated
        running = running & ~(np.asarray(terminated) | np.asarray(truncated))
        if not running.any():
            break
    return record.episodes(keep)


class _Record:
    """The arrays of one round while it runs."""

    def __init__(self, task: VectorEnv, horizon: int, based: bool, index: np.ndarray) -> None:
        n = task.num_envs
        action_size = width_of(task.single_action_space)
        self.horizon, self.index = horizon, index
        self.seen = Seen.of(task.single_observation_space)
        self.parts = {
            name: np.zeros((n, horizon + 1, size), np.float32)
            for name, size in self.seen.sizes.items()
        }
        self.achieved_goal = np.zeros((n, horizon + 1, self.seen.goal_size), np.float32)
        self.base_action = np.zeros((n, horizon + 1, action_size if based else 0), np.float32)
        self.action = np.zeros((n, horizon, action_size), np.float32)
        self.reward = np.zeros((n, horizon), np.float32)
        self.length = np.zeros(n, np.int32)
        self.terminated, self.success = np.zeros(n, bool), np.zeros(n, bool)
        self.sound = np.ones(n, bool)

    def see(
        self, t: int, observation: Observation, base: Policy | None, running: np.ndarray
    ) -> tuple[Observation, np.ndarray | None]:
        """Stores what is observed at time t, and what the base policy would do.

        Returns both for the policy, with zeros for what diverged: its episode will be dropped.
        """
        parts = self.seen(observation)
        sound = rows_finite(parts)
        for name, part in parts.items():
            self.parts[name][running, t] = part[running]
        if self.seen.goal_size:
            achieved = np.asarray(observation["achieved_goal"], np.float32)
            self.achieved_goal[running, t] = achieved[running]
            sound &= rows_finite(achieved)
        self.sound &= sound | ~running
        observation = observation if sound.all() else _with_zeros(observation, ~sound)
        if base is None:
            return observation, None
        base_action = base(observation, None)
        self.base_action[running, t] = base_action[running]
        return observation, base_action

    def act(
        self,
        t: int,
        action: np.ndarray,
        reward: np.ndarray,
        info: Info,
        running: np.ndarray,
    ) -> None:
        """Stores what was done at time t, and what it earned."""
        self.action[running, t] = action[running]
        with np.errstate(over="ignore"):
            self.reward[running, t] = reward[running]
        self.sound &= np.isfinite(self.reward[:, t])
        self.length += running
        success = reported(info)
        if success is not None:
            self.success = np.where(running, np.asarray(success, bool), self.success)

    def episodes(self, keep: int) -> Episodes:
        """The sound ones of the first ``keep`` episodes; the rest only filled the round."""
        chosen = np.flatnonzero(self.sound[:keep])
        return Episodes(
            observation={name: part[chosen] for name, part in self.parts.items()},
            achieved_goal=self.achieved_goal[chosen],
            base_action=self.base_action[chosen],
            action=self.action[chosen],
            reward=self.reward[chosen],
            length=self.length[chosen],
            terminated=self.terminated[chosen],
            success=self.success[chosen],
            index=self.index[chosen],
            dropped=keep - len(chosen),
        )


def _with_zeros(observation: Observation, rows: np.ndarray) -> Observation:
    """The observations with zeros in these rows."""

    def cleared(part: object) -> np.ndarray:
        changed = np.array(part)
        changed[rows] = 0
        return changed

    return map_parts(cleared, observation)
