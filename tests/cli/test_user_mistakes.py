"""What goes wrong with a user's environment or controller is said, and where it is."""

from pathlib import Path

import numpy as np
import pytest

import rpl
import toys
from rpl.cli.main import run
from rpl.controllers.cached import Cache
from small import USER_RUN


@pytest.fixture(autouse=True)
def elsewhere(workplace) -> None:
    """Nothing of what the commands write stays."""


def test_an_error_in_a_controller_says_its_line(capfd) -> None:
    assert run(["eval", "toys:Slide", "--controller", "toys:LosesItsGain"]) == 1
    error = capfd.readouterr().err
    assert "ValueError: the gain is gone" in error
    assert 'raise ValueError("the gain is gone")' in error
    assert str(Path(toys.__file__)) in error
    assert str(Path(rpl.__file__).parent) not in error  # no line that is not the user's


def test_a_controller_that_never_answers_says_its_line(capfd) -> None:
    assert run(["eval", "toys:Slide", "--controller", "toys:without_key"]) == 1
    assert f"raised KeyError ('gain') in {toys.__file__}, line" in capfd.readouterr().err


def test_a_module_that_cannot_be_read_says_its_line(capfd) -> None:
    Path("unreadable.py").write_text("def controller(:\n")
    assert run(["eval", "toys:Slide", "--controller", "unreadable:controller"]) == 1
    error = capfd.readouterr().err
    assert "SyntaxError" in error
    assert "unreadable.py" in error


def test_an_error_of_this_package_is_not_hidden(monkeypatch) -> None:
    monkeypatch.setattr("rpl.cli.evaluate.load_for", len)
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        run(["eval", "toys:Slide", "--controller", "toys:one"])


def test_a_run_without_one_sound_episode_fails_and_can_be_begun_again(capfd) -> None:
    words = ["train", "toys:Broken", "--controller", "toys:one", *USER_RUN, "--out", "run"]
    for _ in range(2):
        assert run(words) == 1
        assert "episodes were dropped" in capfd.readouterr().err


def test_a_reset_that_returns_the_observation_alone_is_refused(capfd) -> None:
    assert run(["train", "toys:OldReset", "--controller", "toys:one", *USER_RUN]) == 1
    assert "it must return (observation, info)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("controller", "forgets"), [("toys:Summing", True), ("toys:NeverForgets", False)]
)
def test_a_controller_that_remembers_what_was_before_a_reset_is_noticed(
    controller, forgets, capfd
) -> None:
    assert run(["train", "toys:Slide", "--controller", controller, *USER_RUN]) == 0
    assert ("note: the untrained policy is its controller" in capfd.readouterr().out) != forgets


def test_a_run_that_ends_within_burn_in_says_so(capfd) -> None:
    words = ["train", "toys:Slide", "--controller", "toys:one", *USER_RUN, "--steps", "100"]
    assert run([*words, "--burn-in.minimum-steps", "1000"]) == 0
    assert "all of it was burn-in" in capfd.readouterr().out


def test_a_cache_takes_as_many_episodes_as_it_needs(capfd) -> None:
    words = ["cache", "toys:EndsEarly", "short.npz", "--controller", "toys:one"]
    assert run([*words, "--states", "20", "--episodes", "6"]) == 1
    assert "from the 18 steps of 6 episodes" in capfd.readouterr().err
    # Twenty states are three episodes' by their limit of eight steps, seven by length.
    words += ["--task.max-episode-steps", "8"]
    assert run([*words, "--states", "20"]) == 0
    said = capfd.readouterr().out
    assert "20 states (episodes: 7," in said
    assert "--controller short.npz --task.max-episode-steps 8" in said
    assert len(Cache.load(Path("short.npz"))) == 20


def test_the_command_that_a_check_proposes_has_the_limit(capfd) -> None:
    words = ["check", "toys:Unregulated", "--controller", "toys:one"]
    assert run([*words, "--task.max-episode-steps", "8"]) == 0
    proposed = "rpl train toys:Unregulated --controller toys:one --task.max-episode-steps 8"
    assert proposed in capfd.readouterr().out


def test_help_does_not_ask_for_the_length_of_episodes(capfd) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(["train", "toys:Unregulated", "--help"])
    assert exit_.value.code == 0
    assert "--task.max-episode-steps" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["watch", "toys:Slide", "--controller", "toys:one", "--video", "film"],
            "must end in .mp4",
        ),
        (["watch", "toys:Slide", "--controller", "toys:one", "--strip", "s"], "must end in .png"),
        (["watch", "toys:Reach", "--controller", "toys:to_goal"], "opens no window"),
        (["export", "run", "policy"], "must end in .onnx"),
        (["train", "toys.py:Slide", "--controller", "toys:one"], "without its suffix: toys:Slide"),
        (["train", "push", "--controller", "reactive-hook"], "not for push"),
        (["train", "toys:Slide", "--method", "pets"], "examples/pets_pendulum.py"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(words, sentence, capfd) -> None:
    assert run(words) == 2
    assert sentence in capfd.readouterr().err
    assert not Path("runs").exists()


def test_improving_with_an_unknown_learner_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="choose one of ddpg, td3, sac"):
        rpl.improve("toys:Slide", toys.one, learner="ppo")


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"controller": None}, "controller is None: a residual is added"),
        ({"config": {"steps": 5}}, r"config is a dict: give rpl\.config\.Config"),
        ({"task": {"metric": "return"}}, r"task is a dict: give rpl\.EnvironmentOptions"),
        ({"prior": 5}, "prior is a int: give files"),
        ({"scale": True}, "scale must be a number, not True"),
        ({"out": " "}, "out is empty"),
    ],
)
def test_improving_with_what_cannot_be_is_said_before_any_work(keywords, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        rpl.improve(**{"env": "toys:Slide", "controller": toys.one, "steps": 5} | keywords)
    assert not Path("runs").exists()


def test_a_tilde_is_the_home_wherever_it_is_written(workplace, monkeypatch, capfd) -> None:
    monkeypatch.setenv("HOME", str(workplace / "home"))
    words = ["plot", "run", "--out=~/curve.bmp"]
    assert run(words) in (1, 2)
    assert not Path("~").exists()
    assert run(["train", "toys:Slide", "--controller", "toys:one", *USER_RUN, "--out=~/run"]) == 0
    assert (workplace / "home/run/config.json").exists()


def test_a_policy_answers_in_the_environments_type_and_refuses_other_observations() -> None:
    words = ["train", "toys:Slide", "--controller", "toys:one", *USER_RUN, "--out", "run"]
    assert run(words) == 0
    policy, env = rpl.load("run"), toys.Slide()
    for x in (-50.0, 0.3, 50.0):  # far enough for either bound
        assert env.action_space.contains(policy(np.array([x, 0.0], np.float32)))
    with pytest.raises(ValueError, match="learned on"):
        policy(np.zeros(3, np.float32))


def test_the_version_can_be_asked_for(capfd) -> None:
    assert run(["--version"]) == 0
    assert capfd.readouterr().out.strip() == rpl.__version__
