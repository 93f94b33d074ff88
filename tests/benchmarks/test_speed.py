"""The benchmark compares like with like and says what it could not measure."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from rich.console import Console

from benchmarks import speed as bench
from benchmarks.speed import environment, measure, peers, planning, training, update
from rpl.config import LearnerConfig
from rpl.pets.dynamics import ModelConfig
from rpl.pets.planner import OFFICIAL
from rpl.tasks import PICK_AND_PLACE, PUSH, FetchOptions, FetchTask

MakeTask = Callable[..., FetchTask]


@pytest.mark.parametrize("options", [PUSH, PICK_AND_PLACE], ids=["push", "pick-and-place"])
def test_the_bare_loop_does_the_same_physics(make_task: MakeTask, options: FetchOptions) -> None:
    task = make_task(2, replace(options, physics="lean"))
    actions = measure.random_actions(2)[:, :10]
    task.reset(seed=0)
    bare = environment.bare_starts(task)
    for data, episode in zip(bare, actions, strict=True):
        environment.bare_episode(task, data, episode)
    for t in range(10):
        task.step(actions[:, t])
    for i, data in enumerate(bare):
        np.testing.assert_array_equal(data.qpos, task.batch.get_data(i).qpos)
        np.testing.assert_array_equal(data.qvel, task.batch.get_data(i).qvel)


def test_the_published_environment_runs_the_same_episodes(make_task: MakeTask) -> None:
    environment = peers.published_environment("FetchPush-v4")
    theirs, _ = environment.reset(seed=3)
    ours, _ = make_task(1).reset(seed=3)
    for name in ("desired_goal", "achieved_goal"):
        np.testing.assert_allclose(ours[name][0], theirs[name], atol=1e-6)
    environment.close()


def test_plain_enums_change_nothing_for_others(make_task: MakeTask) -> None:
    peers.published_environment("FetchPush-v4").close()
    assert isinstance(mujoco.mjtJoint.mjJNT_FREE, mujoco.mjtJoint)


def test_flops_of_an_update_counted_by_hand() -> None:
    config = LearnerConfig(hidden=(2,), batch_size=1)
    # Products of one row: actor 2x2 (8), 2x1 (4); critic 3x2 (12), 2x1 (4).
    target = 8 + 4 + 12 + 4
    critic = (12 + 4) + (12 + 4) + 4  # forward, weights, activations behind the first layer
    through_critic = (12 + 4) + 4 + 4  # forward, activations, the action's column of layer one
    actor = (8 + 4) + (8 + 4) + 4
    assert update.update_flops(config, 1, 1, 1) == target + critic + through_critic + actor
    assert update.update_flops(LearnerConfig(), 25, 3, 4) == pytest.approx(0.71e9, rel=0.02)


def test_flops_of_a_planned_action_counted_by_hand() -> None:
    layers = 2 * (27 * 200 + 200 * 200 + 200 * 200 + 200 * 40)
    assert planning.plan_flops(OFFICIAL, ModelConfig()) == 5 * 500 * 20 * 25 * layers


def test_contenders_take_turns_and_keep_their_best() -> None:
    turns: list[str] = []
    speeds = {"a": iter([1.0, 5.0, 2.0]), "b": iter([4.0, 3.0, 2.0])}

    def contender(name: str) -> Callable[[], float]:
        def measure() -> float:
            turns.append(name)
            return next(speeds[name])

        return measure

    best = measure.best_rates({name: contender(name) for name in speeds}, repeats=3)
    assert turns == ["a", "b"] * 3
    assert best == {"a": 5.0, "b": 4.0}


def fake_rates(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    rates = {"exact": 1000.0, "lean": 1500.0, None: 300.0}
    monkeypatch.setattr(
        training,
        "in_new_process",
        lambda measure, physics=None: {"rate": rates[physics]},
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)


def test_training_is_judged_against_an_installed_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_rates(monkeypatch, installed=True)
    peer, exact, lean = training.training_rows(repeats=1)
    assert peer.rate == 300.0
    assert exact.ratio == pytest.approx(1000 / 300)
    assert exact.passed is False  # below four times
    assert lean.passed is None  # not the same physics: shown, not judged


def test_a_missing_peer_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_rates(monkeypatch, installed=False)
    rows = training.training_rows(repeats=1)
    assert rows[0].rate is None
    assert [row.passed for row in rows] == [None, None, None]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(bench.table([*rows, measure.Row("s", "w", 2.0, "u", 0.5, "x", 0.9)]))
    text = console.export_text()
    assert "pip install -e '.[sb3]'" in text
    assert "fail" in text
    assert "pass" not in text


def test_environment_rates_are_ratios_to_the_peer_and_the_bare_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (measure, environment):
        monkeypatch.setattr(module, "HORIZON", 2)
    rows = environment.environment_rows(simulations=2, repeats=1)
    judged = [row for row in rows if row.bar is not None]
    assert [row.bar for row in judged] == 2 * [1.7, 0.9, 3.0, 0.9]
    for row in judged:
        block = {other.what: other.rate for other in rows if other.section == row.section}
        bare, lean = [what for what in block if what.startswith("bare")], "lean" in row.what
        to_bare = row.against == "the bare loop"
        base = block[bare[lean]] if to_bare else next(iter(block.values()))
        assert row.ratio == pytest.approx(row.rate / base)


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no-such-measure"):
        measure.in_new_process("no-such-measure")
