"""Episodes one can recognise, for tests of the replay: every number says its episode and time."""

import numpy as np
from numpy.testing import assert_array_equal

from rpl.observations import Seen
from rpl.replay.buffer import Replay
from rpl.replay.episodes import Episodes
from rpl.replay.hindsight import GoalRules

HORIZON, LEAK = 6, -777.0
OWN_GOAL = 1000.0  # added to the episode's number in the goals that episodes were run with
SEEN = Seen({"observation": 2, "desired_goal": 2})


def make_episodes(first: int, lengths: list[int], terminated=None) -> Episodes:
    """Episodes numbered from ``first``: observations and achieved goals are (episode, time).

    Base actions are 7 * episode + time / 10, actions 10 * episode + time / 10.
    """
    n = len(lengths)
    number = np.arange(first, first + n, dtype=np.float32)
    steps = np.arange(HORIZON + 1)
    beyond = steps > np.asarray(lengths)[:, None]
    state = np.stack(np.broadcast_arrays(number[:, None], steps), axis=-1).astype(np.float32)
    state[beyond] = LEAK
    goal = np.stack([number + OWN_GOAL] * 2, axis=-1)[:, None].repeat(HORIZON + 1, axis=1)
    reward = -number[:, None] - steps[:-1] / 100
    reward[beyond[:, 1:]] = LEAK
    base_action = np.float32(7 * number[:, None] + steps / 10)
    action = np.float32(10 * number[:, None] + steps[:-1] / 10)
    base_action[beyond], action[beyond[:, 1:]] = LEAK, LEAK
    return Episodes(
        observation={"observation": state, "desired_goal": goal},
        achieved_goal=state.copy(),
        base_action=base_action[..., None],
        action=action[..., None],
        reward=reward,
        length=np.asarray(lengths, np.int32),
        terminated=np.zeros(n, bool) if terminated is None else np.asarray(terminated),
        success=np.zeros(n, bool),
        index=np.arange(n),
    )


def make_replay(capacity: int, slack: int = 0, folder=None) -> Replay:
    return Replay(capacity, HORIZON, SEEN, 1, 1, slack, folder)


def time_to_goal(achieved_goal, desired_goal, info):
    """A reward that can be recognised: how many steps later the goal is reached."""
    assert_array_equal(info["observation"], achieved_goal)
    return 100.0 + desired_goal[:, 1] - achieved_goal[:, 1]


RULES = GoalRules(time_to_goal)


def draw(replay: Replay, count: int = 500, hindsight: float = 0.8, seed: int = 0, **keywords):
    generator = np.random.default_rng(seed)
    return replay.sample((count,), generator, hindsight, RULES, **keywords)


def state_of(batch) -> np.ndarray:
    return batch.observation["observation"]
