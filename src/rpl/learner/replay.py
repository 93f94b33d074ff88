"""Replay of whole episodes; hindsight is a rule for sampling from it (paper, III)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rpl.learner.state import Batch
from rpl.rollout import Episodes

ComputeReward = Callable[[np.ndarray, np.ndarray, Any], np.ndarray]


class Beneath(Protocol):
    """The controller beneath stored residuals; see :class:`rpl.critic_input.SumInput`."""

    def proposed(
        self, observation: np.ndarray, achieved_goal: np.ndarray, desired_goal: np.ndarray
    ) -> np.ndarray: ...

    def executed(self, proposed: np.ndarray, residual: np.ndarray) -> np.ndarray: ...


class Replay:
    """The last ``capacity`` episodes, in memory or as memory-mapped ``.npy`` files.

    The ring has ``slack`` slots more than it shows. What is stored after a checkpoint
    overwrites only slots that the checkpoint no longer shows, as long as it is at most
    ``slack`` episodes: a killed run therefore finds its replay as the checkpoint left it.

    Args:
        capacity: episodes shown to the learner.
        horizon: T, the most steps an episode has.
        observation_size: width of an observation.
        goal_size: width of a goal; 0 without goals.
        action_size: width of an action.
        slack: hidden slots, at least the episodes stored between two checkpoints.
        folder: where the arrays live; None keeps them in memory.
    """

    def __init__(
        self,
        capacity: int,
        horizon: int,
        observation_size: int,
        goal_size: int,
        action_size: int,
        slack: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.capacity = capacity
        self.stored = 0
        """Episodes ever stored; with the arrays, all of the replay's state."""
        self._slots = slots = capacity + slack
        shapes = {
            "observation": (slots, horizon + 1, observation_size),
            "achieved_goal": (slots, horizon + 1, goal_size),
            "desired_goal": (slots, horizon + 1, goal_size),
            "action": (slots, horizon, action_size),
            "reward": (slots, horizon),
            "length": (slots,),
            "terminated": (slots,),
        }
        dtypes = {"length": np.dtype(np.int32), "terminated": np.dtype(np.bool_)}
        self._arrays = {
            name: _array(folder, name, shape, dtypes.get(name, np.dtype(np.float32)))
            for name, shape in shapes.items()
        }

    def __len__(self) -> int:
        """Episodes shown."""
        return min(self.stored, self.capacity)

    def store(self, episodes: Episodes) -> None:
        """Adds episodes; the oldest make room."""
        slots = (self.stored + np.arange(len(episodes))) % self._slots
        for name, array in self._arrays.items():
            array[slots] = getattr(episodes, name)
        self.stored += len(episodes)

    def flush(self) -> None:
        """Writes memory-mapped arrays to disk."""
        for array in self._arrays.values():
            if isinstance(array, np.memmap):
                array.flush()

    def sample(
        self,
        shape: tuple[int, ...],
        generator: np.random.Generator,
        hindsight: float,
        compute_reward: ComputeReward,
        newest: int | None = None,
        n_step: int = 1,
        discount: float = 1.0,
        beneath: Beneath | None = None,
    ) -> Batch:
        """Transitions drawn uniformly over steps, with relabelled goals ("future" strategy).

        With probability ``hindsight`` the goal of a transition at time t becomes the goal
        achieved at a time uniform over t + 1 .. length of the same episode, and the rewards
        are computed anew. Stored actions stay as they are, also where they are residuals on
        a controller that would have acted differently for the new goal.

        Over n steps the reward is the sum over k < m of discount^k r_(t+k), all for the same
        goal, with m the least of n and what is left of the episode, and the next observation
        is the m-th. The actions between are those of older policies with noise, and were
        meant for the episode's own goal: with n > 1 the target is biased by as much.

        Args:
            shape: leading shape of the result, such as (updates, batch).
            generator: source of randomness.
            hindsight: the probability, 0 to 1.
            compute_reward: the task's reward, called with achieved goals, desired goals and,
                as stored, ``{"observation", "action", "desired_goal", "reward"}`` of the
                transitions: the observation after the step, the goal the reward was earned with.
            newest: draw from the newest episodes only.
            n_step: n.
            discount: gamma.
            beneath: the controller, where the batch's actions are to be the executed ones.
        """
        count = int(np.prod(shape))
        episode, t = self._draw_steps(count, generator, newest)
        at = self._arrays
        goal = at["desired_goal"][episode, t]
        observation, action = at["observation"][episode, t], at["action"][episode, t]
        relabelled = generator.random(count) < hindsight
        # Drawn whether used or not, so that the share of hindsight changes nothing else.
        future = t + 1 + np.floor(generator.random(count) * (at["length"][episode] - t)).astype(int)
        if goal.shape[1] > 0:
            later = at["achieved_goal"][episode, future]
            goal = np.where(relabelled[:, None], later, goal)
        taken = np.minimum(n_step, at["length"][episode] - t)
        reward = np.zeros(count, np.float32)
        for k in range(n_step):
            counted = np.flatnonzero(k < taken)
            step_reward = self._rewards(
                episode[counted], t[counted] + k, goal[counted], relabelled[counted], compute_reward
            )
            reward[counted] += np.float32(discount**k) * step_reward
        end = t + taken
        next_observation = at["observation"][episode, end]
        last = end == at["length"][episode]
        terminated = (last & at["terminated"][episode]).astype(np.float32)
        tail = np.power(discount, taken).astype(np.float32)
        flat: list[Any] = [
            observation, goal, action, reward, next_observation, terminated, tail
        ]  # fmt: skip
        if beneath is not None:
            achieved, own_goal = at["achieved_goal"], at["desired_goal"][episode, t]
            # What was executed was proposed for the episode's own goal.
            for_own = beneath.proposed(observation, achieved[episode, t], own_goal)
            flat[2] = beneath.executed(for_own, action)
            flat.append(beneath.proposed(observation, achieved[episode, t], goal))
            flat.append(beneath.proposed(next_observation, achieved[episode, end], goal))
        return Batch(*(part.reshape(*shape, *part.shape[1:]) for part in flat))

    def _rewards(
        self,
        episode: np.ndarray,
        t: np.ndarray,
        goal: np.ndarray,
        relabelled: np.ndarray,
        compute_reward: ComputeReward,
    ) -> np.ndarray:
        """The rewards (n,) of the steps at times t, anew where the goal was relabelled."""
        at = self._arrays
        reward = at["reward"][episode, t].astype(np.float32)
        if goal.shape[1] == 0:
            return reward
        info = {
            "observation": at["observation"][episode, t + 1],
            "action": at["action"][episode, t],
            "desired_goal": at["desired_goal"][episode, t],
            "reward": reward,
        }
        recomputed = compute_reward(at["achieved_goal"][episode, t + 1], goal, info)
        return np.where(relabelled, recomputed, reward).astype(np.float32)

    def _draw_steps(
        self, count: int, generator: np.random.Generator, newest: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slots and times of ``count`` stored steps, each step equally likely."""
        shown = len(self) if newest is None else min(newest, len(self))
        if shown == 0:
            raise ValueError("the replay is empty: store episodes before sampling")
        slots = (self.stored - shown + np.arange(shown)) % self._slots
        ends = np.cumsum(self._arrays["length"][slots])
        step = generator.integers(ends[-1], size=count)
        which = np.searchsorted(ends, step, side="right")
        start = ends[which] - self._arrays["length"][slots[which]]
        return slots[which], step - start


def _array(folder: Path | None, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if folder is None:
        return np.zeros(shape, dtype)
    path = folder / f"{name}.npy"
    if path.exists():
        array = np.lib.format.open_memmap(path, mode="r+")
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{path} holds {array.dtype} {array.shape}, not {dtype} {shape}: it belongs to a "
                "run with other settings; choose another folder"
            )
        return array
    folder.mkdir(parents=True, exist_ok=True)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if array.nbytes:
        _claim_space(path, array.nbytes)
    return array


def _claim_space(path: Path, size: int) -> None:
    """Claims the disk space now: a disk that fills up under a memory map kills the process."""
    try:
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink()
        raise OSError(
            f"cannot keep {size / 1e6:.0f} MB of replay in {path.parent} ({error.strerror}): free "
            "some space, choose another folder with --out, or lower --replay.capacity"
        ) from error
