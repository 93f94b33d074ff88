"""PETS: plan with a learned model by the cross-entropy method (paper, appendix A.5).

After Chua et al. (2018). Three parts: ``cross_entropy`` proposes and improves sequences
of actions, ``expected_cost`` follows particles through the model and prices them, and
``PETS`` plans anew in every step, as a controller.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from rpl.errors import InvalidValue
from rpl.pets.dynamics import Ensemble
from rpl.settings import PlainValues

Observation = np.ndarray | Mapping[str, np.ndarray]
Cost = Callable[[Array, Array, Array], Array]
"""cost(next_observation (..., o), action (..., a), desired_goal (..., g)) -> (...), in JAX.

Goals have width 0 on tasks without goals.
"""

UNKNOWN_COST = 1e6  # of a particle whose cost is not a number


@dataclass(frozen=True)
class PlannerConfig(PlainValues):
    """The planner; the defaults are the published ones for the pusher."""

    horizon: int = 25
    """Steps planned ahead."""
    iterations: int = 5
    """Rounds of the cross-entropy method."""
    population: int = 500
    """Sequences of actions tried in a round."""
    elites: int = 50
    """The best of them, to which the next round's distribution is fitted."""
    smoothing: float = 0.1
    """Share of the old mean and variance that stays (alpha)."""
    variance: float = 0.25
    """Of the first round, of actions in [-1, 1]: (high - low)^2 / 16 as published."""
    colour: float = 0.0
    """How much the draws of neighbouring steps resemble each other: the power of frequency f
    goes by 1 / f^colour. 0 is white noise, as published; 2 is smooth over the whole plan."""
    particles: int = 20
    """Ways on which the model follows each sequence: a multiple of the networks."""
    sampling: Literal["TSinf", "TS1"] = "TSinf"
    """TSinf: a particle stays with one network. TS1: it changes at random in every step."""
    common_noise: bool = False
    """Follow all sequences of a round under the same draws of the model's noise, so that they
    differ by what they do alone; as published each sequence has its own."""


OFFICIAL = PlannerConfig()
# Where there are few sequences they must not be wasted: smooth and small ones, since white
# torques cancel out and effort costs; a fifth of them as elites, not a tenth, since the mean of
# few is noisy; and each looks further ahead, else the arm settles on the wrong side of the object.
# All meet the same noise: with five particles luck would choose among them otherwise.
SMALL = PlannerConfig(
    horizon=45,
    iterations=3,
    population=84,
    elites=17,
    variance=0.01,
    colour=2.0,
    particles=5,
    common_noise=True,
)
# The published search with a twentieth of the arithmetic. It plans badly, and what it does while
# it does so is what a model is best learned from: all sorts of things.
SMALL_AND_WIDE = PlannerConfig(
    iterations=3, population=150, elites=30, particles=5, common_noise=True
)


def cross_entropy(
    key: Array,
    cost: Callable[[Array, Array], Array],
    mean: Array,
    config: PlannerConfig,
) -> Array:
    """The mean of the last distribution over sequences of actions in [-1, 1].

    Each round draws from normal distributions cut off at two standard deviations, which are
    at most half the distance from the mean to the nearer bound; then mean and variance move
    to those of the elites. With ``config.colour`` the draws are smooth in time.

    Args:
        cost: of (key, sequences (n, population, horizon, action_size)) -> (n, population).
        mean: (n, horizon, action_size), where to begin.
    """
    smooth = coloured(mean.shape[1], config.colour)

    def improve(state: tuple[Array, Array], key: Array) -> tuple[tuple[Array, Array], None]:
        mean, variance = state
        draw_key, cost_key = jax.random.split(key)
        room = jnp.minimum(mean + 1.0, 1.0 - mean) / 2
        std = jnp.sqrt(jnp.minimum(jnp.square(room), variance))
        shape = (len(mean), config.population, *mean.shape[1:])
        noise = jax.random.truncated_normal(draw_key, -2.0, 2.0, shape)
        if config.colour:
            noise = jnp.einsum("ts,npsa->npta", smooth, noise)
        sequences = jnp.clip(mean[:, None] + std[:, None] * noise, -1.0, 1.0)
        _, best = jax.lax.top_k(-cost(cost_key, sequences), config.elites)
        elites = jnp.take_along_axis(sequences, best[:, :, None, None], axis=1)
        old, new = config.smoothing, 1.0 - config.smoothing
        mean = old * mean + new * elites.mean(axis=1)
        return (mean, old * variance + new * elites.var(axis=1)), None

    start = (mean, jnp.full_like(mean, config.variance))
    (mean, _), _ = jax.lax.scan(improve, start, jax.random.split(key, config.iterations))
    return mean


def coloured(steps: int, colour: float) -> np.ndarray:
    """What makes white noise over ``steps`` coloured, (steps, steps), and leaves its variance.

    Sines and cosines, each as loud as the root of 1 / f^colour (after Pinneri et al., 2020); the
    constant part is as loud as the slowest wave.
    """
    frequency = np.fft.rfftfreq(steps)
    angle = 2.0 * np.pi * np.arange(steps)[:, None] * frequency
    frequency[0] = 1.0 / steps
    loudness = frequency ** (-colour / 2.0)
    paired = slice(1, (steps + 1) // 2)  # not the constant, nor the fastest wave of an even number
    cosines, sines = loudness * np.cos(angle), (loudness * np.sin(angle))[:, paired]
    cosines[:, paired] *= np.sqrt(2.0)
    waves = np.concatenate([cosines, np.sqrt(2.0) * sines], axis=1)
    return (waves / np.linalg.norm(waves, axis=1, keepdims=True)).astype(np.float32)


def expected_cost(
    key: Array,
    ensemble: Ensemble,
    cost: Cost,
    observation: Array,
    goal: Array,
    sequences: Array,
    config: PlannerConfig,
) -> Array:
    """The summed cost (n, population) of sequences of actions, averaged over particles.

    ``sequences`` (n, population, horizon, a) are followed through the model from
    ``observation`` (n, o) towards ``goal`` (n, g): trajectory sampling.
    """
    networks, (n, population) = len(ensemble.weights[0]), sequences.shape[:2]
    # Particle (k, j) is the j-th of network k: axes (networks, n, population, share, dim).
    lead = (networks, n, population, config.particles // networks)
    luck = (networks, n, 1 if config.common_noise else population, *lead[3:], observation.shape[-1])
    actions = jnp.moveaxis(sequences, 2, 0)[:, None, :, :, None]
    actions = jnp.broadcast_to(actions, (config.horizon, *lead, sequences.shape[-1]))
    goals = jnp.broadcast_to(goal[None, :, None, None], (*lead, goal.shape[-1]))
    start = jnp.broadcast_to(observation[None, :, None, None], (*lead, observation.shape[-1]))

    def step(state: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        action, key = inputs
        shuffle_key, noise_key = jax.random.split(key)
        if config.sampling == "TS1":
            state = _exchange_networks(shuffle_key, state)
        x = jnp.concatenate([state, action], axis=-1)
        mean, log_variance = ensemble(x.reshape(networks, -1, x.shape[-1]))
        mean, std = (part.reshape(state.shape) for part in (mean, jnp.exp(0.5 * log_variance)))
        state = state + (mean + std * jax.random.normal(noise_key, luck))
        return state, cost(state, action, goals)

    keys = jax.random.split(key, config.horizon)
    _, costs = jax.lax.scan(step, start, (actions, keys))
    total = costs.sum(axis=0)
    return jnp.where(jnp.isnan(total), UNKNOWN_COST, total).mean(axis=(0, 3))


def _exchange_networks(key: Array, state: Array) -> Array:
    """Deals the particles of each sequence to the networks anew; their order carries no meaning."""
    networks, n, population, share, size = state.shape
    particles = jnp.moveaxis(state, 0, 2).reshape(n, population, networks * share, size)
    order = jnp.argsort(jax.random.uniform(key, particles.shape[:3]), axis=-1)
    particles = jnp.take_along_axis(particles, order[..., None], axis=2)
    return jnp.moveaxis(particles.reshape(n, population, networks, share, size), 2, 0)


@partial(jax.jit, static_argnames=("cost", "config"))
def plan(
    key: Array,
    ensemble: Ensemble,
    cost: Cost,
    observation: Array,
    goal: Array,
    mean: Array,
    config: PlannerConfig,
) -> Array:
    """Sequences of actions (n, horizon, a), searched for from ``mean``; see ``expected_cost``."""

    def price(key: Array, sequences: Array) -> Array:
        return expected_cost(key, ensemble, cost, observation, goal, sequences, config)

    return cross_entropy(key, price, mean, config)


def check_planner(config: PlannerConfig, networks: int, option: str = "the planner") -> None:
    """Refuses a planner that could not choose among its sequences, or not share its particles.

    Raises:
        InvalidValue: naming the settings.
    """
    if config.particles % networks:
        raise InvalidValue(
            f"{option}'s {config.particles} particles cannot be shared evenly among {networks} "
            f"networks: choose a multiple"
        )
    if config.elites > config.population:
        raise InvalidValue(
            f"{option}'s elites ({config.elites}) must be at most the population "
            f"({config.population})"
        )


class PETS:
    """Model-predictive control with a learned model; actions in [-1, 1].

    It has memory: each plan begins with the rest of the last one, so that rows must belong
    to the same environments from call to call, and ``reset`` is due where episodes begin.

    Args:
        ensemble: the model; replace ``pets.ensemble`` after training it further.
        cost: see ``Cost``, for instance
            ``lambda observation, action, goal: -task.predicted_reward(observation, action, goal)``
            of the pusher: the task's own reward.
        action_size: number of action components.
        config: OFFICIAL, SMALL or another.
        seed: decides all randomness.

    Raises:
        ValueError: if there are more elites than sequences, or the particles cannot be shared
            evenly among the networks.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        cost: Cost,
        action_size: int,
        config: PlannerConfig = SMALL,
        seed: int = 0,
    ) -> None:
        check_planner(config, len(ensemble.weights[0]))
        self.ensemble = ensemble
        self.cost = cost
        self.config = config
        self.action_size = action_size
        self._key = jax.random.key(seed)
        self._calls = 0
        self._mean: np.ndarray | None = None

    def reset(self, mask: np.ndarray) -> None:
        """Forgets the plans of the environments in ``mask``, (num_envs,) bool."""
        if self._mean is not None and len(mask) == len(self._mean):
            self._mean[mask] = 0.0
        else:
            self._mean = None

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (num_envs, action_size), the first ones of new plans."""
        seen, goal = _parts(observation)
        shape = (len(seen), self.config.horizon, self.action_size)
        if self._mean is None or self._mean.shape != shape:
            self._mean = np.zeros(shape, np.float32)
        key = jax.random.fold_in(self._key, self._calls)
        self._calls += 1
        sequences = np.array(
            plan(key, self.ensemble, self.cost, seen, goal, self._mean, self.config)
        )
        self._mean = np.concatenate([sequences[:, 1:], np.zeros_like(sequences[:, :1])], axis=1)
        return sequences[:, 0]


def _parts(observation: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Observations and goals, float32; goals of width 0 on tasks without."""
    if isinstance(observation, Mapping):
        seen, goal = observation["observation"], observation["desired_goal"]
    else:
        seen, goal = observation, np.zeros((len(observation), 0))
    return np.asarray(seen, np.float32), np.asarray(goal, np.float32)
