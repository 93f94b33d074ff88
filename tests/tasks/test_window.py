"""The human window, where there is a display."""

import os

import gymnasium
import pytest

import rpl  # noqa: F401  registers the environments
from rpl.tasks.rendering import RenderingError


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display")
def test_window_opens_shows_steps_in_real_time_and_closes():
    env = gymnasium.make("rpl/Push-v0", render_mode="human", physics="lean")
    env.reset(seed=0)
    for _ in range(5):
        env.step(env.action_space.sample())
    env.close()


@pytest.mark.skipif(bool(os.environ.get("DISPLAY")), reason="there is a display")
def test_window_without_a_display_says_what_to_do():
    env = gymnasium.make("rpl/Push-v0", render_mode="human", disable_env_checker=True)
    with pytest.raises(RenderingError, match="a window needs a display"):
        env.reset(seed=0)
    env.close()
