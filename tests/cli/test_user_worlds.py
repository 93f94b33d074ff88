"""Environments of other people by name, with their keywords, and what training says of them."""

import json
import os
import re
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import rpl
import toys
from rpl.cli.main import run
from rpl.errors import InvalidValue
from rpl.registry.environments import environment_maker, user_task
from rpl.registry.names import EnvironmentOptions, is_user_task
from small import USER_RUN

KEYWORDS = EnvironmentOptions(kwargs=("limit=4", "render_mode=rgb_array"))
LIBRARY = """
import gymnasium, toys
gymnasium.register("Some-World/Slide", entry_point="toys:Slide")
"""
SCENE = """
import numpy as np, toys
from gymnasium.spaces import Box, Dict

class Camera(toys.Slide):
    def __init__(self):
        super().__init__()
        self.observation_space = Dict(
            robot=Dict(place=Box(-np.inf, np.inf, (1,))), camera=Box(0, 255, (8, 8, 3), np.uint8)
        )

    def _observe(self):
        picture = np.full((8, 8, 3), 100 + 10 * self.x, np.uint8)
        return {"robot": {"place": np.array([self.x], np.float32)}, "camera": picture}

def controller(observation):
    return [0.05 * (100.0 - observation["camera"].mean())]

def brightness(observation):
    return [observation["camera"].mean() / 255.0]
"""


def test_keywords_reach_an_environment_whatever_names_it(workplace, monkeypatch) -> None:
    (workplace / "some_world.py").write_text(LIBRARY)
    for source in ("toys:Slide", toys.Slide, "some_world:Some-World/Slide"):
        env = environment_maker(source, keywords=KEYWORDS.keywords())()
        assert env.unwrapped.max_episode_steps == 4
        assert env.unwrapped.render_mode == "rgb_array"
    assert EnvironmentOptions(kwargs={"limit": 4, "render_mode": "rgb_array"}).keywords() == (
        KEYWORDS.keywords()
    )
    with pytest.raises(InvalidValue, match=r"kwargs 'limit' must be name=value"):
        EnvironmentOptions(kwargs=("limit",))
    of_numpy = EnvironmentOptions(kwargs={"width": np.float64(2.5), "count": np.int64(3)})
    assert of_numpy.keywords() == {"width": 2.5, "count": 3}
    gymnasium.registry.pop("Some-World/Slide")


def test_an_id_without_a_version_is_found_through_its_namespace(workplace) -> None:
    (workplace / "someworld.py").write_text(LIBRARY)
    (workplace / "runs").mkdir()
    assert is_user_task("Some-World/Slide")
    assert not is_user_task("runs/Slide")
    gymnasium.registry.pop("Some-World/Slide")


def test_success_at_any_step_counts_to_the_episodes_end() -> None:
    class Passes(toys.Reach):
        def step(self, action):
            *rest, _ = super().step(action)
            return *rest, {"success": self.t == 2}

    def successes(when):
        task = user_task(Passes, EnvironmentOptions(success=when), 2)
        task.reset(seed=0)
        seen = [task.step(np.zeros((2, 2)))[-1]["is_success"].tolist() for _ in range(3)]
        task.reset(seed=1, options={"reset_mask": np.array([True, False])})
        return seen, task.step(np.zeros((2, 2)))[-1]["is_success"].tolist()

    assert successes("last") == ([[False] * 2, [True] * 2, [False] * 2], [False, False])
    assert successes("any") == ([[False] * 2, [True] * 2, [True] * 2], [False, True])


@pytest.mark.parametrize("observe", ["robot.place", "scene:brightness"])
def test_a_run_with_a_camera_is_trained_evaluated_and_loaded(observe, workplace, capfd) -> None:
    (workplace / "scene.py").write_text(SCENE)
    words = ["scene:Camera", "--controller", "scene:controller", "--task.observe", observe]
    assert run(["train", *words, "--out", "run", *USER_RUN, "--replay.capacity", "500"]) == 0
    assert run(["eval", "run", "--episodes", "4", "--num-envs", "2", "--json"]) == 0
    report = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert report["policy"]["starts"] == 4
    policy = rpl.load("run", checkpoint="last")
    assert policy.seen.sizes == {"observation": 1, "base_action": 1}
    import scene

    observation, _ = scene.Camera().reset(seed=0)
    together = {
        "robot": {"place": observation["robot"]["place"][None]},
        "camera": observation["camera"][None],
    }
    np.testing.assert_allclose(policy(observation), policy(together)[0])
    assert policy(observation).shape == (1,)
    assert run(["check", *words]) == 0
    assert f"--task.observe {observe}" in capfd.readouterr().out
    assert run(["check", *words[:3]]) == 1
    sentence = "'camera' is a picture .*--task.observe robot.place shows it the state alone"
    assert_says(sentence, capfd.readouterr().out)


def assert_says(pattern, text) -> None:
    assert re.search(pattern, text.replace("\n", " ")), text


class PaysATenth(toys.Reach):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, 0.1 * reward, *rest


def two_valued(observation):
    return [0.1, -1.0 if observation["observation"][0] > 0 else 1.0]


def test_training_begins_with_what_the_check_would_say(workplace, capfd, monkeypatch) -> None:
    monkeypatch.setattr(toys, "PaysATenth", PaysATenth, raising=False)
    monkeypatch.setattr(toys, "two_valued", two_valued, raising=False)
    words = ["train", "toys:PaysATenth", "--controller", "toys:two_valued", *USER_RUN]
    assert run([*words, "--out", "run", "--replay.capacity", "500"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("must be fixed (environment): step 1 paid -0.1, but compute_reward")
    assert lines[1].startswith("look at (controller): component 1 of its action")
    assert lines[1].endswith("--residual.scale 1 2")
    quiet = ["--residual.scale", "0.5", "2", "--replay.hindsight", "0"]
    quiet += ["--residual.two-valued", "1"]
    assert run([*words, *quiet, "--out", "other", "--replay.capacity", "500"]) == 0
    assert "steps: policy" in capfd.readouterr().out.splitlines()[0]


def test_a_package_that_breaks_is_named_with_its_version() -> None:
    """In a process of its own: another test may have mended the package in this one."""
    name = "gymnasium_robotics:FetchPush-v4"  # compares MuJoCo's enums with integers
    command = "import sys; from rpl.cli.main import run; sys.exit(run(sys.argv[1:]))"
    said = r"FetchPush-v4 cannot be made: it raised .* package \(gymnasium-robotics \d.*mujoco \d"
    for word, code in (("check", 1), ("eval", 2)):
        done = subprocess.run(
            [sys.executable, "-c", command, word, name], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code
        text = done.stdout + done.stderr
        assert_says(said, text)
        assert "Traceback" not in text


SCRIPT = """
import rpl, toys

rpl.improve(toys.Slide, toys.one, steps=100, out="run", task=rpl.EnvironmentOptions(processes=2))
"""


def test_a_script_without_a_main_guard_ends_in_a_sentence_that_names_it(workplace) -> None:
    (workplace / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": ":".join(map(str, sys.path))},
    )
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr.strip().splitlines()[-1]
    assert done.stderr.count("Traceback") == 1


@pytest.mark.parametrize("value", [len, float("inf"), [np.float64(1.0)], np.ones(2)], ids=str)
def test_a_keyword_that_no_record_can_keep_is_refused_and_not_passed_on_as_text(value) -> None:
    with pytest.raises(InvalidValue, match=r"kwargs has x=.*, which config.json cannot keep"):
        EnvironmentOptions(kwargs={"x": value})
