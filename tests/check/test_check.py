"""Every deliberate mistake is found, and named; what is right passes."""

import json
import re
import sys
import time
import types

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

import toys
from rpl.check import check
from rpl.check.controller import check_controller
from rpl.cli.main import run
from toys import Reach, Slide


def errors(*arguments, severity="error"):
    """Names of the errors, with their sentences."""
    return {f.name: f.sentence for f in check(*arguments) if f.severity == severity}


@pytest.mark.parametrize(
    ("make_env", "controller"),
    [
        (Slide, toys.one),
        (Slide, toys.batch),
        (Slide, toys.Summing),
        (Slide, toys.summing_all),
        (Slide, toys.make_with_env),
        (Reach, toys.to_goal),
        (lambda: Reach(ends=True), toys.to_goal),
        (lambda: gymnasium.make("Pendulum-v1"), lambda o: [-o[2]]),
    ],
)
def test_what_keeps_the_contract_passes(make_env, controller) -> None:
    assert errors(make_env, controller) == {}


def test_rounding_makes_no_other_episode() -> None:
    assert "not-deterministic" in errors(Remembers, severity="warning")
    assert "not-deterministic" not in errors(Rounds, severity="warning")


def test_the_judgement_is_announced() -> None:
    assert "judged-by-return" in errors(Slide, severity="note")
    assert "judged-by-return" not in errors(Reach, severity="note")


class WrongShape(Slide):
    def _observe(self):
        return np.zeros(3, np.float32)


class WrongType(Slide):
    def _observe(self):
        return np.array(["a", "b"])


class NotANumber(Slide):
    def _observe(self):
        return np.array([np.nan if self.t == 3 else 0.0, 0.0], np.float32)


class LeavesItsSpace(Slide):
    def __init__(self):
        super().__init__()
        self.observation_space = Box(-0.5, 0.5, (2,), np.float32)


class OtherType(Slide):
    def _observe(self):
        return np.array([self.x, self.t], np.float64)


class RewardArray(Slide):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, np.array([reward]), *rest


class RewardInfinite(RewardArray):
    def step(self, action):
        observation, _, *rest = Slide.step(self, action)
        return observation, np.inf, *rest


class FlagNone(Slide):
    def step(self, action):
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, None, truncated, info


class OldStep(Slide):
    def step(self, action):
        return super().step(action)[:4]


class OldReset(Slide):
    def reset(self, **keywords):
        return super().reset(**keywords)[0]


class Raises(Slide):
    def step(self, action):
        raise RuntimeError("the motor is off")


class GlobalRandom(Slide):
    def step(self, action):
        return super().step(action + np.random.uniform(0, 1e-3))  # noqa: NPY002


class Remembers(Slide):
    wear = 0.0

    def step(self, action):
        self.wear += 1e-3
        observation, reward, *rest = super().step(action)
        return observation, reward - self.wear, *rest


class Rounds(Remembers):
    """Pays what a sum in another order differs by."""

    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, reward + self.wear * (1.0 - 1e-12), *rest


class OneBuffer(Slide):
    buffer = np.zeros(2, np.float32)

    def _observe(self):
        self.buffer[:] = self.x, self.t
        return self.buffer


class WritesAction(Slide):
    def step(self, action):
        result = super().step(action)
        action *= 0.0
        return result


class AlwaysTheSame(Slide):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=0)


class Huge(Slide):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, 1000.0 * reward - 1000.0, *rest


class Unlimited(Slide):
    def __init__(self):
        super().__init__()
        del self.max_episode_steps


class Unbounded(Slide):
    def __init__(self):
        super().__init__()
        self.action_space = Box(-np.inf, np.inf, (1,))


class PaysOtherwise(Reach):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, reward + 0.1, *rest


class GoesOn(Reach):
    def compute_terminated(self, achieved_goal, desired_goal, info):
        return True

    def step(self, action):
        self.place, self.t = self.place + action, self.t + 1
        reward = float(self.compute_reward(self.place, self.goal, {}))
        return self._observe(), reward, False, self.t >= 6, {"success": False}


class NeedsInfoToEnd(Reach):
    def compute_terminated(self, achieved_goal, desired_goal, info):
        return info["fell"] if info else {}["fell"]

    step = GoesOn.step


class NeedsInfo(Reach):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return info["paid"] if info else {}["paid"]

    def step(self, action):
        self.place, self.t = self.place + action, self.t + 1
        return self._observe(), -1.0, False, self.t >= 6, {"success": False}


class OneGoalOnly(Reach):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return 0.0 if float(np.linalg.norm(achieved_goal - desired_goal)) < 0.5 else -1.0


class NoReward(Reach):
    compute_reward = property()

    def step(self, action):
        self.place, self.t = self.place + action, self.t + 1
        return self._observe(), -1.0, False, self.t >= 6, {"success": False}


class OneWorld(Slide):
    """All of its kind move the same point."""

    world = types.SimpleNamespace()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.world.x = self.x
        return self._observe(), {}

    def step(self, action):
        self.x = self.world.x
        returned = super().step(action)
        self.world.x = self.x
        return returned


class SaysNo(Slide):
    def step(self, action):
        *returned, _ = super().step(action)
        return *returned, {"success": "no"}


@pytest.mark.parametrize(
    ("broken", "severity", "name", "says"),
    [
        (WrongShape, "error", "observation-shape", r"has shape \(3,\) at reset, .* says \(2,\)"),
        (WrongType, "error", "observation-dtype", "return numbers"),
        (NotANumber, "error", "observation-not-finite", "nan in component 0 at step 3"),
        (LeavesItsSpace, "warning", "observation-bounds", "widen the space"),
        (OtherType, "warning", "observation-dtype", "float64, but its space says float32"),
        (RewardArray, "error", "reward-shape", r"shape \(1,\): return one number"),
        (RewardInfinite, "error", "reward-not-finite", "return finite rewards"),
        (FlagNone, "error", "flag-type", "'terminated' is None of type NoneType: return a bool"),
        (OldStep, "error", "raises", r"step\(\) must return \(observation, reward, term"),
        (OldReset, "error", "raises", r"reset\(\) must return \(observation, info\)"),
        (Raises, "error", "raises", "RuntimeError while it runs: the motor is off"),
        (GlobalRandom, "warning", "not-deterministic", r"observation at step 1 .*self\.np_random"),
        (Remembers, "warning", "not-deterministic", "reward at step 1 in the same environment"),
        (OneWorld, "error", "environments-share-state", "give each a process"),
        (SaysNo, "error", "success-type", r"info\['success'\] is 'no': let it be True or False"),
        (OneBuffer, "warning", "observation-overwritten", "return a copy"),
        (WritesAction, "warning", "action-written", "a copy"),
        (AlwaysTheSame, "note", "one-beginning", "every seed begins the same episode"),
        (Huge, "warning", "large-rewards", "divide all of them"),
        (Unlimited, "error", "unsuitable", "--task.max-episode-steps N"),
        (Unbounded, "error", "unsuitable", "finite bounds"),
        (PaysOtherwise, "error", "reward-differs", "step 1 paid .* compute_reward says"),
        (NeedsInfo, "error", "compute-reward-raises", "follow from the goals alone"),
        (GoesOn, "error", "termination-differs", "step 1 did not terminate"),
        (NeedsInfoToEnd, "error", "compute-terminated-raises", "from the goals alone"),
        (OneGoalOnly, "warning", "compute-reward-slow", "for arrays"),
        (NoReward, "error", "no-compute-reward", "--replay.hindsight 0"),
        (lambda: 3, "error", "cannot-be-made", "made int, not a gymnasium.Env"),
        (lambda: {}["no"], "error", "cannot-be-made", "KeyError"),
    ],
)
def test_a_broken_environment_is_found(broken, severity, name, says) -> None:
    found = [f for f in check(broken) if f.name == name]
    assert len(found) == 1
    assert found[0].severity == severity
    assert found[0].subject == "environment"
    assert re.search(says, found[0].sentence), found[0].sentence
    assert "\n" not in found[0].sentence


def writes(observation):
    observation[0] = 0.0
    return [0.0]


def not_a_number(observation):
    return [np.nan if observation[1] > 2 else 0.0]


def counting():
    count = [0]

    def controller(observation):
        count[0] += 1
        return [0.001 * count[0] - observation[0]]

    return controller


def random(observation):
    return np.random.uniform(-1, 1, 1)  # noqa: NPY002


def own_generator():
    generator = np.random.default_rng(0)
    return lambda observation: [generator.normal() - observation[0]]


class Sampling:
    """Draws from an action space of its own, and says where episodes begin."""

    def __init__(self):
        self.space = Box(-1.0, 1.0, (1,))

    def reset(self):
        """Goes on drawing."""

    def __call__(self, observation):
        return self.space.sample()


class ForgetsNothing:
    def __init__(self):
        self.sum = 0.0

    def reset(self):
        pass

    def __call__(self, observation):
        self.sum += float(observation[0])
        return [-0.1 * self.sum]


class Centred:
    def reset(self, mask):
        pass

    def __call__(self, observation):
        return observation[:, :1] - observation[:, :1].mean(axis=0)


class FirstDiffers:
    """Turned around or not, the batch's mean is the same, but not with one environment."""

    def reset(self, mask):
        pass

    def __call__(self, observation):
        return observation[:, :1] * len(observation)


class ThreeOnly:
    def reset(self, mask):
        self.gains = np.full((3, 1), -0.5)

    def __call__(self, observation):
        return self.gains * observation[:, :1] if len(observation) == 3 else {}[0]


def slow(observation):
    time.sleep(0.01)
    return [-0.5 * observation[0]]


@pytest.mark.parametrize(
    ("broken", "severity", "name", "says"),
    [
        (writes, "error", "contract", "writes into the observation"),
        (lambda o: np.zeros(3), "error", "contract", r"to be answered with shape \(1,\)"),
        (not_a_number, "error", "contract", r"returned \[nan\] for environment"),
        (counting(), "error", "memory-without-reset", "first at step 0: give it reset"),
        (random, "warning", "random", "--residual.observe-controller"),
        (own_generator(), "warning", "random", "--residual.critic-input sum"),
        (Sampling(), "warning", "random", "two answers for one observation"),
        (
            lambda o: [0.01 * np.tanh(o[0])],
            "warning",
            "small-share",
            r"residual.scale 0\.00\d$",
        ),
        (lambda o: [3.0 if o[0] < 0 else -1.0], "warning", "two-valued", "--residual.scale 2$"),
        (lambda o: [3.0], "warning", "two-valued", "component 0 of its action only ever takes 1"),
        (ForgetsNothing, "error", "reset-forgets-too-little", "clear all of its memory"),
        (Centred, "error", "number-of-environments", "in one environment alone"),
        (FirstDiffers, "error", "number-of-environments", "in one environment alone"),
        (ThreeOnly, "error", "one-environment", "a batch of any size"),
        (lambda o: [100.0 * o[0]], "warning", "beyond-bounds", "in the environment's units"),
        (lambda o: [0.3], "warning", "constant", "never changes"),
        (
            slow,
            "warning",
            "time",
            r"takes \d{2,}\.\d ms, a step of the environment .* us: training will",
        ),
        (toys.one, "note", "time", "an action takes .* us, a step"),
    ],
)
def test_a_broken_controller_is_found(broken, severity, name, says) -> None:
    found = [f for f in check(Slide, broken) if f.name == name]
    assert [(f.severity, f.subject) for f in found] == [(severity, "controller")]
    assert re.search(says, found[0].sentence), found[0].sentence


class Neighbour:
    def reset(self, mask):
        pass

    def __call__(self, observation):
        return np.roll(observation[:, :1], 1, axis=0) + np.arange(len(observation))[:, None]


def test_a_controller_that_mixes_environments_is_found() -> None:
    assert "mixes-environments" in errors(Slide, Neighbour)


class Wears(Slide):
    """Remembers how often it was reset."""

    episodes = 0

    def reset(self, **keywords):
        self.episodes += 1
        return super().reset(**keywords)

    def step(self, action):
        self.x += 0.1 * self.episodes
        return super().step(action)


def test_an_environment_that_differs_is_not_held_against_its_controller() -> None:
    found, _ = check_controller(Wears, toys.one)
    assert [f.name for f in found] == ["time"]
    found, _ = check_controller(Wears, toys.with_env)  # which sees what it does not observe
    assert [(f.severity, f.name) for f in found if f.severity != "note"] == [
        ("warning", "environment-differs")
    ]


def network(observation):
    """Products of one row and of three differ in the last bit, and Pendulum is chaotic."""
    generator = np.random.default_rng(1)
    layers = [generator.standard_normal(s).astype(np.float32) for s in ((3, 256), (256, 256))]
    out = generator.standard_normal((256, 1)).astype(np.float32)
    x = np.atleast_2d(observation).astype(np.float32)
    y = 2 * np.tanh(0.05 * np.tanh(np.tanh(x @ layers[0]) @ layers[1] / 16) @ out)
    return y[0] if np.ndim(observation) == 1 else y


def test_the_last_bit_of_a_network_is_no_fault() -> None:
    assert errors(lambda: gymnasium.make("Pendulum-v1"), network) == {}


class ByTheClock(Slide):
    def step(self, action):
        observation, reward, *_ = super().step(action)
        return observation, reward, self.t >= 5, False, {}


class EndsAtGoal(Reach):
    """Ends at the goal, and nobody can ask it whether."""

    compute_terminated = property()

    def step(self, action):
        self.place, self.t = self.place + action, self.t + 1
        reward = float(self.compute_reward(self.place, self.goal, {}))
        return self._observe(), reward, reward == 0.0, self.t >= 6, {"success": reward == 0.0}


class Crashes(EndsAtGoal):
    """Ends where something else goes wrong."""

    def step(self, action):
        observation, reward, _, *rest = super().step(action)
        return observation, reward, bool(abs(self.place[0]) > 3.0), *rest


class In(Slide):
    """Slide in another unit."""

    offset, unit, dtype = 0.0, 1.0, np.float64

    def __init__(self):
        super().__init__()
        self.observation_space = Box(-np.inf, np.inf, (1,), self.dtype)

    def _observe(self):
        return np.array([self.offset + self.unit * self.x], self.dtype)


class Millimetres(In):
    unit = 1000.0


class Kilometres(In):
    unit = 1e-5


class Counts(In):
    offset, unit = 1e8, 100.0


class MostlyAtRest(In):
    """An object that trembles by less than float32 tells, but for the moment when it is moved."""

    def _observe(self):
        return np.array([1.0 + 1e-8 * (self.t % 2) + 0.1 * (self.t > 4)], np.float64)


class Wide(In):
    def __init__(self):
        super().__init__()
        self.observation_space = Box(-np.inf, np.inf, (2000,), np.float64)

    def _observe(self):
        return np.full(2000, self.x)


@pytest.mark.parametrize(
    ("make_env", "controller", "name", "says"),
    [
        (ByTheClock, toys.one, "clock-terminates", "terminated after 5 steps"),
        (EndsAtGoal, toys.to_goal, "ends-at-goal", r"more than -1, .*add compute_terminated"),
        (Millimetres, None, "large-observations", "normalised by their mean and spread"),
        (Kilometres, None, "small-observations", "scale the observation to a unit"),
        (Counts, None, "float32-precision", "subtract an offset"),
        (Wide, None, "wide-observation", "2,000 numbers.* takes 8 GB"),
    ],
)
def test_what_misleads_a_learner_is_said(make_env, controller, name, says) -> None:
    found = {f.name: f.sentence for f in check(make_env, controller) if f.severity != "error"}
    assert re.search(says, found[name])
    right = {f.name for f in check(Reach if controller is toys.to_goal else Slide, controller)}
    assert name not in right


def test_the_trembling_of_what_rests_is_not_what_a_learner_would_miss() -> None:
    assert "float32-precision" not in {f.name for f in check(MostlyAtRest, None)}


def test_a_crash_is_not_taken_for_the_goal() -> None:
    assert "ends-at-goal" not in {f.name for f in check(Crashes, toys.to_goal)}


def test_options_of_the_training_change_the_verdict(capfd) -> None:
    words = ["check", "Otherwise:Pays", "--controller", "toys:to_goal", "--json"]
    module = sys.modules["Otherwise"] = types.ModuleType("Otherwise")
    module.Pays = PaysOtherwise
    assert run(words) == 1
    assert "reward-differs" in capfd.readouterr().out
    assert run([*words, "--replay.hindsight", "0"]) == 0
    capfd.readouterr()
    assert run([*words[:-1], "--replay.hindsight", "0", "--residual.scale", "0.1", "0.2"]) == 0
    proposed = "rpl train Otherwise:Pays --controller toys:to_goal --replay.hindsight 0.0"
    assert f"{proposed} --residual.scale 0.1 0.2" in capfd.readouterr().out
    del sys.modules["Otherwise"]


def test_the_command_prints_json_and_fails_where_something_must_be_fixed(capfd) -> None:
    words = ["check", "toys:Slide", "--controller", "toys:one", "--json"]
    assert run(words) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["passed"]
    assert {f["name"] for f in report["findings"]} == {"judged-by-return", "time"}
    assert set(report["findings"][0]) == {"severity", "subject", "name", "sentence"}
    assert run(["check", "toys:Slide", "--controller", "toys:to_goal", "--json"]) == 1
    assert not json.loads(capfd.readouterr().out)["passed"]


def test_the_command_says_what_to_do_next(capfd) -> None:
    assert run(["check", "toys:Reach", "--controller", "toys:to_goal"]) == 0
    assert "rpl train toys:Reach --controller toys:to_goal" in capfd.readouterr().out
    assert run(["check", "toys:Reach", "--controller", "toys:one"]) == 1
    output = capfd.readouterr().out
    assert "must be fixed (controller): the controller fits neither" in output
    assert output.strip().endswith("1 thing must be fixed before training")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "there is no task 'nothing'"),
        (["toys:nothing"], "toys has no 'nothing'"),
        (["no_such_module:make"], "there is no module no_such_module"),
        (["Nothing-v0"], "Gymnasium knows no environment 'Nothing-v0'"),
        (["Pendulum-v1", "--controller", "reactive-push"], "name your own as module:controller"),
        (["Pendulum-v1", "--controller", "nobody"], "or name your own: module:name or a file"),
    ],
)
def test_a_name_that_leads_nowhere_is_a_usage_error(words, sentence, capfd) -> None:
    assert run(["check", *words]) == 2
    assert sentence in capfd.readouterr().err
