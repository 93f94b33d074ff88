"""Where the residual acts: where several critics are sure that it is better than the base action.

Symbols as in ``rpl.learner.ddpg``, and b the base action, a = clip(b + scale f) what is executed
with the residual f, A_i(s, f) = Q_i(s, a) - Q_i(s, b) the i-th critic's advantage over the
controller. What critics have in common, right or wrong, the value of the state above all, is not
in the difference; so no number here is in units of reward.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.config import Aggregate, LearnerConfig
from rpl.learner.judge import Judge

TINY = 1e-12  # where critics agree, the slope of a standard deviation is finite


def aggregate(values: Array, how: Aggregate, pessimism: ArrayLike) -> Array:
    """What several critics say together, (batch,) of (critics, batch).

    The first's word, the least, the mean, or the bound: the mean less ``pessimism`` standard
    deviations.
    """
    if how == "first":
        return values[0]
    if how == "least":
        return values.min(axis=0)
    if how == "mean":
        return values.mean(axis=0)
    return values.mean(axis=0) - pessimism * jnp.sqrt(values.var(axis=0) + TINY)


def disagreement(values: Array) -> Array:
    """Root of the mean over states of the critics' variance, ()."""
    return jnp.sqrt(values.var(axis=0, ddof=min(len(values) - 1, 1)).mean())


class Gate(eqx.Module):
    """Lets the residual through where the critics' advantages together are above zero.

    A residual of zero has no advantage: the policy is its controller, bit for bit.
    """

    scale: tuple[float, ...] = eqx.field(static=True)
    """What a residual of 1 adds, for each action component."""
    how: Aggregate = eqx.field(static=True)
    by_target: bool = eqx.field(static=True)
    """Whether the policy acts by the target networks, which are averages over some cycles."""
    pessimism: Array
    """Standard deviations of the bound, (): see ``with_pessimism``."""
    two_valued: tuple[int, ...] = eqx.field(static=True, default=())
    """Components of the action that stay b's or go to the other bound."""

    def caution(self, at_first: float) -> Array:
        """What is left of the residual's penalty, (): less where the bound is less strict.

        The penalty is weighted by a variance, the critics' squared error, and the bound is counted
        in standard deviations: hence the square.

        Args:
            at_first: pessimism of a policy that was not shown to be better than its controller.
        """
        return jnp.square(self.pessimism / at_first) if at_first else jnp.ones(())

    @staticmethod
    def of(
        config: LearnerConfig, scale: tuple[float, ...], two_valued: tuple[int, ...] = ()
    ) -> Gate | None:
        """The gate that a configuration asks for."""
        if not config.gate:
            return None
        pessimism = jnp.asarray(config.pessimism)
        return Gate(scale, config.aggregate, config.act_by_target, pessimism, two_valued)

    def advantage(self, advantages: Array) -> Array:
        """What is sure of the advantages, (batch,) of (critics, batch)."""
        return aggregate(advantages, self.how, self.pessimism)

    def is_open(self, advantages: Array) -> Array:
        """Where the residual acts, (batch,) bool of (critics, batch)."""
        return self.advantage(advantages) > 0.0


def value_of(
    config: LearnerConfig, gate: Gate | None, judge: Judge, x: Array, said: Array, key: Array
) -> tuple[Array, Array]:
    """What a target counts for what the policy does where its actor says ``said``.

    Returns:
        The least of the values, (batch,), of as many critics as ``critics_drawn`` says (REDQ) -
        all of them decide whether the residual acts -, and where it does, (batch,) bool.
    """
    if gate is None:
        values, acts = judge.each(x, said), jnp.ones(len(x), bool)
    else:
        with_residual, of_base = judge.beside_base(x, said)
        acts = gate.is_open(with_residual - of_base)
        values = jnp.where(acts, with_residual, of_base)
    if config.critics_drawn is None or config.critics_drawn >= config.critics:
        return values.min(axis=0), acts
    # A key of its own: other learners' numbers stay what they are.
    drawn = jax.random.choice(
        jax.random.fold_in(key, 1), config.critics, (config.critics_drawn,), replace=False
    )
    return values[drawn].min(axis=0), acts


Objective = Callable[[Array], tuple[Array, Array]]


def objective_of(config: LearnerConfig, gate: Gate | None, judge: Judge, x: Array) -> Objective:
    """What an actor maximises as a function of what it says.

    The critics' values together, (batch,), or with a gate what is sure of their advantages; beside
    it what they say each, (critics, batch).
    """
    if config.aggregate == "first" and gate is None:
        return lambda said: (judge.first(x, said), jnp.zeros((0, len(x))))
    of_base = 0.0 if gate is None else judge.each(x, jnp.zeros(()))
    pessimism = config.pessimism if gate is None else gate.pessimism

    def objective(said: Array) -> tuple[Array, Array]:
        each = judge.each(x, said) - of_base
        return aggregate(each, config.aggregate, pessimism), each

    return objective


def gate_metrics(gate: Gate | None, advantages: Array) -> dict[str, Array]:
    """What a gated actor's step says of itself: see ``GATE_METRICS``."""
    if gate is None:
        return {}
    return {
        "advantage": gate.advantage(advantages).mean(),
        "disagreement": disagreement(advantages),
        "gate_open": gate.is_open(advantages).mean(),
    }


GATE_METRICS = ("advantage", "disagreement", "gate_open")
