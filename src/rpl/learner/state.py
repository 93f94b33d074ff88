"""What learning changes, and acting with it: shared by DDPG, TD3 and SAC."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from rpl.config import LearnerConfig
from rpl.learner.networks import ONE_FRAME, Actor, Critic, Critics, Frames, GaussianActor
from rpl.learner.normalizer import Normalizer
from rpl.learner.optimizers import actor_optimizer, critic_optimizer, temperature_optimizer


class LearnerState(eqx.Module):
    """All that learning changes."""

    actor: Actor | GaussianActor
    critic: Critics
    target_actor: Actor | None
    """The slow copy; SAC has none."""
    target_critic: Critics
    actor_optimizer: optax.OptState
    critic_optimizer: optax.OptState
    observation_normalizer: Normalizer
    goal_normalizer: Normalizer
    log_temperature: Array | None = None
    """log alpha, what a unit of entropy is worth in SAC."""
    temperature_optimizer: optax.OptState | None = None

    @property
    def stochastic(self) -> bool:
        """Whether the actor is a distribution."""
        return isinstance(self.actor, GaussianActor)

    @property
    def normalizers(self) -> tuple[Normalizer, Normalizer]:
        """Of observations and of goals."""
        return self.observation_normalizer, self.goal_normalizer


def create(
    key: Array,
    observation_size: int,
    goal_size: int,
    action_size: int,
    config: LearnerConfig,
    frames: int = 1,
    proposal_size: int = 0,
) -> LearnerState:
    """A fresh learner.

    Args:
        key: JAX random key.
        observation_size: width of an observation.
        goal_size: width of a goal; 0 for tasks without goals.
        action_size: number of action components.
        config: hyper-parameters.
        frames: observations that a history has put side by side, within ``observation_size``.
        proposal_size: numbers at an observation's end that belong to no frame: the controller's
            action, where the learner sees it.
    """
    actor_key, critic_key = jax.random.split(key)
    width = observation_size + goal_size
    shared = Frames(frames, proposal_size + goal_size) if config.average_frames else ONE_FRAME
    sizes = (width, action_size, config.hidden)

    def make_critic(key: Array) -> Critic:
        return Critic(key, *sizes, shared, config.layer_norm)

    critic = Critics.create(critic_key, config.critics, make_critic)
    if config.stochastic:
        actor = GaussianActor(actor_key, *sizes, config.zero_last, config.initial_std, shared)
        log_temperature = jnp.log(jnp.asarray(config.initial_temperature, jnp.float32))
    else:
        actor, log_temperature = Actor(actor_key, *sizes, config.zero_last, shared), None
    return LearnerState(
        actor=actor,
        critic=critic,
        target_actor=actor if isinstance(actor, Actor) else None,
        target_critic=critic,
        actor_optimizer=actor_optimizer(config).init(_arrays(actor)),
        critic_optimizer=critic_optimizer(config).init(_arrays(critic)),
        observation_normalizer=Normalizer.create(observation_size),
        goal_normalizer=Normalizer.create(goal_size),
        log_temperature=log_temperature,
        temperature_optimizer=None
        if log_temperature is None
        else temperature_optimizer(config).init(log_temperature),
    )


def network_input(
    observation: ArrayLike, goal: ArrayLike, of_observation: Normalizer, of_goal: Normalizer
) -> Array:
    """The normalised observation and goal side by side, (..., observation + goal)."""
    return jnp.concatenate([of_observation(observation), of_goal(goal)], axis=-1)


def act(state: LearnerState, observation: ArrayLike, goal: ArrayLike) -> Array:
    """f(s, g), the greedy action, (n, action_size)."""
    # Called in every environment step: only what acting needs, and nothing to sort out first.
    return _act(state.actor, *state.normalizers, observation, goal)


@jax.jit
def _act(
    actor: Actor | GaussianActor,
    of_observation: Normalizer,
    of_goal: Normalizer,
    observation: ArrayLike,
    goal: ArrayLike,
) -> Array:
    return actor(network_input(observation, goal, of_observation, of_goal))


def act_with_noise(
    state: LearnerState, observation: ArrayLike, goal: ArrayLike, noise: ArrayLike
) -> Array:
    """An exploring action, (n, action_size): f(s, g) + noise, or SAC's tanh(mu + sigma noise)."""
    return _act_with_noise(state.actor, *state.normalizers, observation, goal, noise)


@jax.jit
def _act_with_noise(
    actor: Actor | GaussianActor,
    of_observation: Normalizer,
    of_goal: Normalizer,
    observation: ArrayLike,
    goal: ArrayLike,
    noise: Array,
) -> Array:
    x = network_input(observation, goal, of_observation, of_goal)
    if isinstance(actor, GaussianActor):
        return actor.sample(x, noise)[0]
    return actor(x) + noise


@eqx.filter_jit
def observe(state: LearnerState, observation: ArrayLike, goal: ArrayLike) -> LearnerState:
    """Adds relabelled observations (n, ...) and goals (n, ...) to the normalisers."""
    return eqx.tree_at(
        lambda s: (s.observation_normalizer, s.goal_normalizer),
        state,
        (
            state.observation_normalizer.updated(observation),
            state.goal_normalizer.updated(goal),
        ),
    )


@eqx.filter_jit
def is_finite(state: LearnerState) -> Array:
    """Whether every number of the learner is finite, () bool."""
    leaves = jax.tree.leaves(eqx.filter(state, eqx.is_inexact_array))
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()


def _arrays(module):
    return eqx.filter(module, eqx.is_array)
