"""A run with prior data: what it says and records, that it goes on exactly, what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import rpl
import small
import toys
from recording import record
from rpl.cli.main import run
from rpl.controllers.contract import ControllerError
from rpl.errors import RunError
from rpl.registry.resolve import resolve
from rpl.replay.recorded import UnsuitablePrior
from rpl.runs import session
from rpl.runs.session import run_session, training_of
from small import USER_RUN, metrics, user_config

REACH = ("train", "toys:Reach", "--controller", "toys:to_goal", *USER_RUN)


@pytest.fixture
def demonstrations(workplace) -> Path:
    return record(workplace / "demo.npz", toys.Reach(), toys.to_goal, range(6), noise=0.3)


def spec_of(*prior, env=toys.Reach, controller=toys.to_goal, **changes):
    config = user_config(6)
    config = replace(
        config,
        steps=300,
        replay=replace(config.replay, prior=tuple(map(str, prior))),
        **changes,
    )
    return resolve(env, config=config, controller=controller)


def refused(*prior, error=UnsuitablePrior, **keywords) -> str:
    with pytest.raises(error) as raised:
        training_of(spec_of(*prior, **keywords))
    return str(raised.value)


def test_a_run_says_and_records_what_it_read(demonstrations, capfd) -> None:
    assert run([*REACH, "--replay.prior", "demo.npz", "--out", "run"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    with np.load(demonstrations) as file:
        success, steps = file["success"].mean(), len(file["rewards"])
    assert f"prior data: demo.npz: 6 episodes, {steps} transitions, success {success:.3f}" in said
    assert "base actions asked of the controller" in said
    record = json.loads(Path("run/config.json").read_text())
    (fact,) = record["prior"]
    assert (fact["file"], fact["episodes"], fact["transitions"]) == ("demo.npz", 6, steps)
    assert record["config"]["replay"]["prior"] == ["demo.npz"]


class StoppedAfterFiveCycles:
    """In place of the interruption by a key."""

    def __init__(self, *about) -> None:
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None: ...

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > 5


def test_a_run_with_prior_data_goes_on_exactly_and_keeps_no_copy_of_them(
    demonstrations, monkeypatch
) -> None:
    words = [*REACH, "--replay.prior", "demo.npz"]
    assert run([*words, "--out", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(session, "Interruption", StoppedAfterFiveCycles)
        assert run([*words, "--out", "parts"]) == 1
    demonstrations.rename("moved.npz")
    words[-1] = "moved.npz"
    assert run([*words, "--out", "parts", "--resume"]) == 0
    assert metrics(Path("parts")) == metrics(Path("whole"))
    assert run([*REACH, "--out", "without"]) == 0  # which proves that they are learned from
    assert metrics(Path("without")) != metrics(Path("whole"))

    def size(folder: str) -> int:
        kept = [*Path(folder, "checkpoint").iterdir(), *Path(folder, "replay").iterdir()]
        return sum(path.stat().st_size for path in kept)

    assert size("whole") == pytest.approx(size("without"), rel=0.01)


def test_a_run_does_not_go_on_with_other_prior_data(demonstrations, capfd) -> None:
    words = [*REACH, "--replay.prior", "demo.npz", "--out", "run"]
    assert run([*words, "--steps", "150"]) == 0
    record(demonstrations, toys.Reach(), toys.to_goal, range(6), noise=0.2)
    assert run([*words, "--resume"]) == 1
    assert "demo.npz is not the file that the run in run began with" in said(capfd)
    assert run([*REACH, "--out", "run", "--resume"]) == 1
    assert "began with 1 files of prior data, not 0" in said(capfd)


def said(capfd) -> str:
    return " ".join(capfd.readouterr().err.split())


def test_several_files_of_different_lengths_are_all_learned_from(demonstrations, workplace) -> None:
    longer = record(workplace / "longer.npz", toys.Reach(limit=9), toys.to_goal, range(3))
    training = training_of(spec_of(demonstrations, longer))
    prior = training.prior.replay
    assert len(prior) == 9
    batch = prior.sample((2000,), np.random.default_rng(0), 0.0, training.problem.rules)
    assert batch.observation["observation"][:, 2].max() == 8.0  # the time of the longer file


def test_the_controller_s_own_episodes_hold_no_residual(workplace) -> None:
    file = record(workplace / "own.npz", toys.Reach(), toys.to_goal)
    training = training_of(spec_of(file))
    batch = training.prior.replay.sample(
        (99,), np.random.default_rng(0), 0.0, training.problem.rules
    )
    np.testing.assert_allclose(batch.action, batch.base_action, atol=1e-6)


def test_a_file_of_another_environment_is_refused_before_there_is_a_folder(workplace) -> None:
    record(workplace / "slide.npz", toys.Slide(), toys.one)
    with pytest.raises(UnsuitablePrior, match=r"slide\.npz has no observations/"):
        run_session(spec_of("slide.npz"), "", Console(quiet=True), out=Path("run"))
    assert not Path("run").exists()


def test_a_file_with_rewards_of_another_kind_is_refused(demonstrations) -> None:
    with np.load(demonstrations) as file:
        fields = {name: file[name] for name in file.files}
    np.savez(demonstrations, **fields | {"rewards": fields["rewards"] + 1.0})
    assert "where compute_reward says -1" in refused(demonstrations)


def test_a_controller_that_looks_at_the_environment_cannot_be_asked(workplace) -> None:
    plain = record(workplace / "slide.npz", toys.Slide(), toys.one)
    sentence = refused(plain, error=ControllerError, env=toys.Slide, controller=toys.with_env)
    assert "reads the environment's state" in sentence
    beside = record(workplace / "beside.npz", toys.Slide(), toys.one, base=toys.one)
    assert training_of(spec_of(beside, env=toys.Slide, controller=toys.with_env)).prior is not None


@pytest.mark.parametrize("share", ["0", "1", "nan"])
def test_a_share_of_nothing_or_all_is_refused(share, capfd) -> None:
    assert run([*REACH, "--replay.prior-share", share]) == 2
    assert "--replay.prior-share must be above 0 and below 1" in said(capfd)


def test_improve_takes_prior_data(demonstrations) -> None:
    config = replace(small.user_config(6), cycles_per_epoch=1)
    rpl.improve(
        toys.Reach, toys.to_goal, steps=60, out="run", config=config, quiet=True,
        prior=demonstrations, prior_share=0.25,
    )  # fmt: skip
    record = json.loads(Path("run/config.json").read_text())
    assert record["config"]["replay"]["prior_share"] == 0.25
    assert record["prior"][0]["file"] == str(demonstrations)
    with pytest.raises(RunError, match="began with 1 files"):
        rpl.improve(toys.Reach, toys.to_goal, steps=90, out="run", config=config, resume=True)


def test_a_paper_task_takes_what_gymnasium_s_form_of_it_recorded(workplace) -> None:
    import gymnasium

    env = gymnasium.make("rpl/Push-v0", max_episode_steps=50)
    controller = rpl.per_env(lambda observation: np.zeros(4))
    file = record(
        workplace / "push.npz", env, lambda o: controller({n: p[None] for n, p in o.items()})[0],
        seeds=(0, 1),
    )  # fmt: skip
    config = replace(small.CONFIG, replay=replace(small.CONFIG.replay, prior=(str(file),)))
    training = training_of(resolve("push", config=config))
    assert training.prior.facts[0]["transitions"] == 100
    with pytest.raises(UnsuitablePrior, match="was recorded in rpl/Push-v0, and this is"):
        training_of(resolve("slippery-push", config=config))
