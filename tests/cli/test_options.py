"""The command line's defaults follow from what its words name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

import rpl
from rpl.cli import evaluate, train
from rpl.cli.main import run
from rpl.cli.options import option_words
from rpl.errors import RunError, UsageError
from rpl.presets import FAST
from rpl.registry.builtin import make_controller
from rpl.registry.resolve import default_options

PLANNED = {
    "task": "push",
    "method": "rpl",
    "controller": "discrete-mpc-push",
    "task_options": {"friction": [0.5, 0.005, 0.0001]},
    "controller_options": {"physics": "lean", "substeps": 4},
}


@pytest.fixture
def planned(tmp_path) -> str:
    (tmp_path / "config.json").write_text(json.dumps(PLANNED))
    return str(tmp_path)


def parsed(command, arguments: list[str]):
    """The options that a subcommand would be run with."""
    return tyro.cli(command.__annotations__["options"], args=arguments)


def options_of(*arguments: str):
    words = ["eval", *arguments]
    return parsed(evaluate.command_for(words), words[1:])


@pytest.mark.parametrize("more", [(), ("--controller", "discrete-mpc-push")])
def test_a_runs_controller_keeps_its_settings(planned, more) -> None:
    controller = options_of(planned, *more).controller
    assert (controller.physics, controller.substeps) == ("lean", 4)


def test_one_setting_changed_leaves_a_runs_others_as_they_are(planned) -> None:
    options = options_of(planned, "--controller.expansions", "3", "--task.physics", "lean")
    controller = options.controller
    assert (controller.expansions, controller.substeps) == (3, 4)
    assert options.task.friction == (0.5, 0.005, 0.0001)
    assert options.task.physics == "lean"


def test_a_setting_of_another_controller_is_refused(planned) -> None:
    with pytest.raises(SystemExit):
        options_of(planned, "--controller.push-gain", "3")


def test_options_of_another_controller_are_not_dropped() -> None:
    task = rpl.tasks.FetchTask(1, rpl.tasks.PUSH)
    with pytest.raises(UsageError, match="settings of another controller"):
        make_controller("reactive-push", task, options_of("pick-and-place").controller)


def test_the_value_of_an_option_is_not_taken_for_the_task() -> None:
    words = ["train", "--task.objects", "meshes-v2", "complex-hook"]
    assert train.named_by(words).task.name == "complex-hook"


def test_of_a_repeated_option_the_last_counts_for_its_defaults_too() -> None:
    words = [
        "train",
        "push",
        "--preset",
        "paper",
        "--preset=fast",
        "--learner",
        "td3",
        "--learner",
        "ddpg",
    ]
    options = parsed(train.command_for(words), words[1:])
    assert (options.preset, options.config.residual) == ("fast", FAST.residual)
    assert (options.learner_name, options.config.learner) == ("ddpg", FAST.learner)


@pytest.mark.parametrize("option", ["--task.metric", "--task.judged-by"])
def test_a_metric_is_chosen_by_its_older_name_too(option) -> None:
    words = ["train", "Pendulum-v1", option, "return", "--task.max-episode-steps", "9"]
    assert train.spec_for(words).task.options.metric == "return"


def test_options_become_the_words_that_make_them() -> None:
    defaults = default_options("complex-hook")
    changed = replace(defaults, physics="lean", bumps=not defaults.bumps, frames=2)
    words = ["train", "complex-hook", *option_words("task", changed, defaults).split()]
    assert parsed(train.command_for(words), words[1:]).task == changed
    assert option_words("task", defaults, defaults) == ""


def test_a_run_of_a_planner_is_not_loaded_as_a_policy(tmp_path) -> None:
    record = {"task": "mbrl-pusher", "method": "pets", "controller": None}
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="rpl cache"):
        rpl.load(tmp_path)


@pytest.mark.parametrize("name", ["toys:<lambda>", "__main__:controller"])
def test_what_was_made_in_a_script_has_to_be_passed(tmp_path, name) -> None:
    record = {"task": "toys:Slide", "method": "rpl", "controller": name}
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"rpl\.load\(run, make_env=\.\.\., controller=\.\.\.\)"):
        rpl.load(Path(tmp_path))


def test_a_row_of_results_says_that_it_has_no_policy(capfd) -> None:
    row = Path(__file__).parents[2] / "results/slippery-push/rpl/seed0"
    assert run(["eval", str(row), "--episodes", "10"]) == 1
    assert "the command in its config.json makes it" in capfd.readouterr().err
