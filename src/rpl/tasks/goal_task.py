"""Goal-reaching MuJoCo tasks, many simulations stepped together."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from mujoco.batch import Batch

from rpl.observations import Info, reset_mask
from rpl.tasks import interface
from rpl.tasks.interface import Observation, Seed, checked_actions, checked_count, seed_each
from rpl.tasks.layout import Layout
from rpl.tasks.rendering import FRAME_SIZE, Camera, SceneRenderer


class GoalTask(VectorEnv):
    """``num_envs`` copies of one task with goals on one thread pool.

    A Gymnasium vector environment whose observation is a dict of ``(num_envs, dim)``
    float64 arrays ``observation``, ``achieved_goal`` and ``desired_goal``, and, when
    ``simulator_state`` is asked for, the ``mjSTATE_INTEGRATION`` rows that a planner
    needs to continue the simulation exactly. Actions lie in [-1, 1].

    Episodes last ``max_episode_steps`` steps and are then truncated; they never
    terminate early. There is no autoreset: call ``reset(options={"reset_mask": mask})``.
    An episode is a function of its seed and its actions alone, whatever the number of
    environments or threads beside it.

    Args:
        model: the compiled scene.
        num_envs: number of simulations.
        max_episode_steps: in place of the task's own ``horizon`` T.
        num_threads: physics threads; 0 uses every core.
        render_mode: ``"rgb_array"``, ``"human"`` (the first simulation) or None.
        simulator_state: add ``simulator_state`` to the observations.
    """

    metadata = {  # noqa: RUF012  as Gymnasium declares it
        "render_modes": ["rgb_array", "human"],
        "render_fps": 25,
        **interface.METADATA,
    }
    layout: Layout
    action_size: ClassVar[int]
    horizon: ClassVar[int]
    substeps: int  # physics steps of an environment step
    success_distance = 0.05  # metres between achieved and desired goal that count as success
    camera = Camera()

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        *,
        max_episode_steps: int | None = None,
        num_threads: int = 0,
        render_mode: str | None = None,
        simulator_state: bool = False,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"render_mode must be 'rgb_array', 'human' or None, not {render_mode!r}"
            )
        # A diverged simulation must become visible as non-finite numbers, not silently restart.
        model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
        self.model = model
        self.num_envs = checked_count(num_envs)
        self.max_episode_steps = self.horizon if max_episode_steps is None else max_episode_steps
        self.render_mode = render_mode
        self.batch = Batch(model, num_envs, num_threads)
        self._simulator_state = simulator_state
        self._episode_step = np.zeros(num_envs, np.int64)
        self._goal = np.zeros((num_envs, 3))
        self._generators: list[np.random.Generator] = []  # one each, from the first reset on
        self._renderer = SceneRenderer(model, self.camera)
        self.single_action_space = Box(-1.0, 1.0, (self.action_size,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def _define_observation_space(self) -> None:
        """Reads the layout and the spaces off the observables; call once the scene is bound."""
        observables = self._observables()
        self.layout = Layout({name: part.shape[1] for name, part in observables.items()})
        sizes = {"observation": self.layout.size, "achieved_goal": 3, "desired_goal": 3}
        if self._simulator_state:
            sizes["simulator_state"] = self.batch.nstate
        self.single_observation_space = gymnasium.spaces.Dict(
            {name: Box(-np.inf, np.inf, (size,), np.float64) for name, size in sizes.items()}
        )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    # What a task is made of.

    @abstractmethod
    def _reset_simulations(self, ids: np.ndarray) -> None:
        """Draws the initial states of simulations ``ids``."""

    @abstractmethod
    def _sample_goal(self, generator: np.random.Generator, simulation: int) -> np.ndarray:
        """One desired goal (3,), in metres."""

    @abstractmethod
    def _apply_action(self, action: np.ndarray) -> None:
        """Writes the controls for actions (num_envs, action_size) in [-1, 1]."""

    @abstractmethod
    def _observables(self) -> dict[str, np.ndarray]:
        """The ordered parts of the observation, each (num_envs, size)."""

    @abstractmethod
    def _achieved_goal(self, observables: dict[str, np.ndarray]) -> np.ndarray:
        """What the observation says of the goal, (num_envs, 3)."""

    def _true_achieved_goal(self, achieved_goal: np.ndarray) -> np.ndarray:
        """What success is judged on; differs from the observed one under sensor noise."""
        return achieved_goal

    def _after_step(self, ids: np.ndarray | None = None) -> None:
        """Adjusts the state of simulations ``ids`` between the physics and the observation."""

    def _restore_derived(self, ids: np.ndarray) -> None:
        """Makes the bodies' positions those that the next action of a restored state reads."""
        self.batch.forward(ids, stage=int(mujoco.mjtStage.mjSTAGE_POS))

    def _sense(self, ids: np.ndarray) -> None:
        """Draws the sensor noise of simulations ``ids``, once for each observation of theirs."""

    def _silence(self) -> None:
        """Takes the sensor noise away until it is drawn again."""

    def _reward_info(self, observation: Observation, action: np.ndarray) -> dict[str, np.ndarray]:
        """What the reward needs besides the goals: entries of ``info``, by the replay's names."""
        return {}

    # Gymnasium's vector interface.

    def reset(self, *, seed: Seed = None, options: Info | None = None) -> tuple[Observation, Info]:
        """Starts new episodes in the simulations of ``options["reset_mask"]``, by default all.

        Args:
            seed: one seed per simulation, or one integer s for the seeds s, s + 1, ...;
                None continues each simulation's generator.
            options: ``{"reset_mask": (num_envs,) bool}``.
        """
        mask = reset_mask(options, self.num_envs)
        self._seed(seed, mask)
        ids = np.flatnonzero(mask)
        if ids.size:
            self._reset_simulations(ids)
            for i in ids:
                self._goal[i] = self._sample_goal(self._generators[i], int(i))
            self._episode_step[ids] = 0
            self._sense(ids)
        self._show()
        return self._observe()[0], {}

    def _seed(self, seed: Seed, mask: np.ndarray) -> None:
        seeds = seed_each(seed, self.num_envs)
        if isinstance(seed, (int, np.integer)):
            self._np_random_seed = int(seed)
        if not self._generators:
            self._generators = [np.random.default_rng() for _ in range(self.num_envs)]
        for i in map(int, np.flatnonzero(mask)):
            if seeds[i] is not None:
                self._generators[i] = np.random.default_rng(seeds[i])

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Advances every simulation by one action; actions beyond [-1, 1] are clipped.

        ``info["is_success"]`` is a (num_envs,) bool array: the goal is reached now.
        """
        if not self._generators:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        # float32 actions stay float32, as in the published environments: contacts amplify rounding.
        action = np.clip(checked_actions(actions, self.action_space), -1.0, 1.0)
        self._apply_action(action)
        self.batch.step(nstep=self.substeps)
        self._after_step()
        self._sense(np.arange(self.num_envs))
        self._episode_step += 1
        observation, true_achieved_goal = self._observe()
        distance = np.linalg.norm(true_achieved_goal - self._goal, axis=-1)
        info = {
            "is_success": distance < self.success_distance,
            **self._reward_info(observation, action),
        }
        reward = self.compute_reward(observation["achieved_goal"], self._goal, info)
        truncated = self._episode_step >= self.max_episode_steps
        self._show()
        return observation, reward, np.zeros(self.num_envs, bool), truncated, info

    def compute_reward(
        self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """The sparse reward: 0 within ``success_distance`` of the goal, else -1.

        Args:
            achieved_goal: (..., 3), metres.
            desired_goal: (..., 3), metres.
            info: unused; part of Gymnasium's goal-environment interface.

        Returns:
            (...) float64. A non-finite goal earns NaN, so that it cannot pass for data.
        """
        distance = np.linalg.norm(achieved_goal - desired_goal, axis=-1)
        reward = np.where(distance > self.success_distance, -1.0, 0.0)
        return np.where(np.isfinite(distance), reward, np.nan)

    def _observe(self) -> tuple[Observation, np.ndarray]:
        observables = self._observables()
        achieved_goal = self._achieved_goal(observables)
        observation = {
            "observation": np.concatenate(list(observables.values()), axis=1),
            "achieved_goal": achieved_goal.copy(),
            "desired_goal": self._goal.copy(),
        }
        if self._simulator_state:
            observation["simulator_state"] = self.simulator_state()
        return observation, self._true_achieved_goal(achieved_goal)

    def simulator_state(self) -> np.ndarray:
        """The ``mjSTATE_INTEGRATION`` rows, (num_envs, nstate), on which the next step depends."""
        return self.batch.state.copy()

    def set_simulator_state(self, rows: np.ndarray, ids: np.ndarray) -> None:
        """Continues simulations ``ids`` from rows of ``simulator_state``, (len(ids), nstate).

        Neither the goals nor the episodes' clocks are part of the state: they stay.
        """
        self.batch.state[ids] = rows
        self._restore_derived(ids)

    def predict(self, states: np.ndarray, actions: np.ndarray) -> tuple[Observation, np.ndarray]:
        """What one step would lead to, without sensor noise; overwrites the task's simulations.

        For planners, which own a second task: its simulations are the model, and the first
        len(states) of them are used.

        Args:
            states: (n, nstate) rows of ``simulator_state``, n at most ``num_envs``.
            actions: (n, action_dim), clipped to [-1, 1].

        Returns:
            ``observation`` and ``achieved_goal``, (n, dim), and the next states, (n, nstate).
        """
        count = len(states)
        ids = np.arange(count)
        self.set_simulator_state(states, ids)
        action = np.zeros(self.action_space.shape or ())
        action[:count] = np.clip(actions, -1.0, 1.0)
        self._apply_action(action)
        self.batch.step(ids, nstep=self.substeps)
        self._after_step(ids)
        self._silence()
        seen = self._observe()[0]
        parts = {name: seen[name][:count] for name in ("observation", "achieved_goal")}
        return parts, self.batch.state[:count].copy()

    # Pictures.

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One (height, width, 3) uint8 frame per simulation in ``rgb_array`` mode."""
        if self.render_mode != "rgb_array":
            self._show()
            return None
        return tuple(self.frame(i) for i in range(self.num_envs))

    def frame(self, simulation: int = 0, size: tuple[int, int] = FRAME_SIZE) -> np.ndarray:
        """A picture of one simulation, (height, width, 3) uint8."""
        return self._renderer.frame(*self._scene(simulation), size)

    def _scene(self, simulation: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """The model and the forwarded data to draw, with the goal marked."""
        model = self.batch.get_model(simulation)
        data = self.batch.get_data(simulation)
        self._mark_goal(model, self._goal[simulation])
        mujoco.mj_forward(model, data)
        return model, data

    def _mark_goal(self, model: mujoco.MjModel, goal: np.ndarray) -> None:
        """Moves the goal marker of a copy of the scene."""

    def _show(self) -> None:
        if self.render_mode == "human":
            self._renderer.show(*self._scene(0), self.metadata["render_fps"])

    def close_extras(self, **kwargs: object) -> None:
        """Closes the window and the drawing context."""
        self._renderer.close()
