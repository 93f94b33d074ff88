"""Controller plus residual on a robot's computer: NumPy and onnxruntime, nothing else.

    rpl export runs/Pendulum-v1-rpl-td3-seed0 policy.onnx
    python examples/deploy.py policy.onnx examples.pendulum:controller

Copy ``Deployed`` to the robot. The file holds the normalisers, the network, the sum with
the controller and every clip, so that what acts is what was trained, and no action is further
from the controller's than the scale it was trained with.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Deployed:
    """A policy for one robot.

    Args:
        path: what ``rpl export`` wrote.
        controller: from one observation, as the robot sees it now, to one action in its own
            units, or an object whose ``predict`` or ``act`` does so; of a pair such as (action,
            state) the action counts. Unused where the policy was learned from scratch.
        takes_batches: the controller takes a batch of observations: it gets one of one.
        observe: the function of ``--task.observe`` that the policy was trained with, if it was one;
            parts of an observation are chosen as in training.

    Raises:
        TypeError: if nothing of the controller acts, or ``observe`` is missing.
        ValueError: when called, if the observation, the controller's action or the action is not
            finite, or of another shape; what the robot does then is yours.
    """

    def __init__(
        self,
        path: str | Path,
        controller: Any,
        takes_batches: bool = False,
        observe: Callable[[Any], Any] | None = None,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        ways = (controller, *(getattr(controller, name, None) for name in ("predict", "act")))
        acting = next((way for way in ways if callable(way)), None)
        if acting is None:
            kind = type(controller).__name__
            raise TypeError(f"{kind} cannot be called: give its method that acts")
        self.act: Callable[[Any], Any] = acting
        # Of a method it is the object that remembers.
        self.controller = getattr(controller, "__self__", controller)
        self.takes_batches = takes_batches
        stored = self.session.get_modelmeta().custom_metadata_map
        self.facts = {name: json.loads(value) for name, value in stored.items()}
        self.observe, self.observed = observe, self.facts.get("observed")
        if observe is None and self.observed is not None and "function" in self.observed:
            function = self.observed["function"]
            raise TypeError(
                f"the policy sees what {function} makes of an observation: give observe"
            )
        self.inputs = [entry.name for entry in self.session.get_inputs()]
        self.sizes = {entry.name: entry.shape[1] for entry in self.session.get_inputs()}
        self.frames: list[np.ndarray] = []

    def reset(self) -> None:
        """Call it where an episode begins: forgets the frames, and resets the controller."""
        self.frames = []
        if hasattr(self.controller, "reset"):
            self.controller.reset()

    def __call__(self, observation: Any) -> np.ndarray:
        """The action (action_dim,) for one observation: an array, or a dict with the goal."""
        parts = self._parts(observation)
        # The file clips what it gets: from an infinite number it would make an ordinary action.
        for name, part in parts.items():
            if isinstance(part, (Mapping, tuple)):
                raise ValueError(f"{name} has parts: the file takes the vector that was learned on")
            self._check_finite(name, np.asarray(part, np.float32), observation)
        feed = {"observation": self._with_history(np.asarray(parts["observation"], np.float32))}
        if "controller_action" in self.inputs:
            feed["controller_action"] = self._ask_controller(observation)
        for name in self.inputs:
            if name not in feed:
                part = name if name in parts else name.removeprefix("observed_")
                feed[name] = np.asarray(parts[part], np.float32)[None]
        if "controller_action" in feed:
            asked = feed["controller_action"]
            self._check_finite("action", asked, observation, " of the controller")
        action = self.session.run(["action"], feed)[0][0]
        self._check_finite("action", action, observation)
        return action

    def _parts(self, observation: Any) -> Mapping[str, Any]:
        """What the learner sees of an observation, by the names of the file's inputs."""
        if self.observed is None:
            return observation if isinstance(observation, Mapping) else {"observation": observation}
        if self.observe is not None:
            vector = np.ravel(self.observe(observation))
        else:
            vector = np.concatenate([_numbers(observation, **p) for p in self.observed["parts"]])
        goals = {name: observation[name] for name in self.inputs if name == "desired_goal"}
        return {"observation": vector, **goals}

    @staticmethod
    def _check_finite(name: str, value: np.ndarray, observation: Any, whose: str = "") -> None:
        if not np.isfinite(value).all():
            said = f"the {name} is {value}{whose}, for the observation {observation}: stop"
            raise ValueError(said)

    def _with_history(self, frame: np.ndarray) -> np.ndarray:
        """The newest frame first; before there are enough, the first one stands for the rest."""
        count = self.facts["frames"]
        self.frames = [frame, *(self.frames or [frame] * count)][:count]
        return np.concatenate(self.frames)[None]

    def _ask_controller(self, observation: Any) -> np.ndarray:
        """The controller's action, (1, action_dim); one of a batch gets a batch of one."""
        if self.takes_batches and isinstance(observation, Mapping):
            observation = {name: np.asarray(part)[None] for name, part in observation.items()}
        elif self.takes_batches:
            observation = np.asarray(observation)[None]
        returned = self.act(observation)
        if isinstance(returned, tuple) and len(returned) == 2 and np.ndim(returned[0]) > 0:
            returned, _ = returned
        action = np.asarray(returned, np.float32).reshape(1, -1)
        if action.shape[1] != self.sizes["controller_action"]:
            raise ValueError(
                f"the controller returned shape {np.shape(returned)}, and one action has "
                f"{self.sizes['controller_action']} numbers: of a chunk give one after the other"
            )
        return action


def _numbers(part: Any, path: list, options: Any = (), first: Any = ()) -> np.ndarray:
    """A part of an observation as numbers; choices are one-hot."""
    for name in path:
        part = part[name]
    values = np.ravel(part)
    if not options:
        return values.astype(np.float64)
    one_hot = [
        np.arange(n) == value - k for n, k, value in zip(options, first, values, strict=True)
    ]
    return np.concatenate(one_hot).astype(np.float64)


def main(path: str, controller_name: str, takes_batches: bool) -> None:
    """Measures how often a second the policy can act on one core."""
    sys.path.insert(0, str(Path.cwd()))
    module, _, name = controller_name.partition(":")
    controller = getattr(importlib.import_module(module), name)
    controller = controller() if isinstance(controller, type) else controller
    policy = Deployed(path, controller, takes_batches)
    if policy.observed is not None:
        sys.exit("the policy sees a choice of what is observed: time it on observations of yours")
    sizes = {name: policy.sizes.get(name, 0) for name in ("observation", "desired_goal")}
    generator = np.random.default_rng(0)
    observation: Any = generator.standard_normal(sizes["observation"] // policy.facts["frames"])
    if sizes["desired_goal"]:
        goals = generator.standard_normal((2, sizes["desired_goal"]))
        observation = dict(
            zip(
                ("observation", "achieved_goal", "desired_goal"), (observation, *goals), strict=True
            )
        )
    times = []
    for _ in range(2000):
        started = time.perf_counter()
        policy(observation)
        times.append(time.perf_counter() - started)
    median, slowest = np.median(times), np.quantile(times, 0.99)
    print(
        f"{1.0 / median:,.0f} actions a second ({median * 1e6:.0f} us; 99 %: {slowest * 1e6:.0f})"
    )
    unwanted = {"jax", "mujoco", "rpl", "gymnasium"} & set(sys.modules)
    print(f"imported beside NumPy and onnxruntime: {', '.join(sorted(unwanted)) or 'nothing'}")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--batch"]
    if len(words) != 2:
        sys.exit("usage: python examples/deploy.py POLICY.onnx MODULE:CONTROLLER [--batch]")
    main(*words, takes_batches="--batch" in sys.argv)
