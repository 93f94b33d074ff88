"""The simulator state of one scene in another scene with some joints more or fewer."""

from __future__ import annotations

import mujoco
import numpy as np

INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)
_POSITION = int(mujoco.mjtState.mjSTATE_QPOS)
_PER_VELOCITY = tuple(
    int(getattr(mujoco.mjtState, f"mjSTATE_{name}"))
    for name in ("QVEL", "WARMSTART", "QFRC_APPLIED")
)
_PER_BODY = int(mujoco.mjtState.mjSTATE_XFRC_APPLIED)


class StateTranslation:
    """Rewrites ``mjSTATE_INTEGRATION`` rows of one model for another, by joint and body names.

    A planner's model may have lean physics where the task has exact ones: their joints differ.

    Args:
        source: the model that the rows come from.
        target: the model to continue them in.
        rest: a row of the target, (target nstate,), for what the source does not have.

    Raises:
        ValueError: if the two differ in more than joints and bodies.
    """

    def __init__(self, source: mujoco.MjModel, target: mujoco.MjModel, rest: np.ndarray) -> None:
        self._rest = rest
        taken, written = [], []
        start_source = start_target = 0
        for component in _components():
            size_source = mujoco.mj_stateSize(source, component)
            size_target = mujoco.mj_stateSize(target, component)
            a, b = _shared(source, target, component, size_source, size_target)
            taken.append(start_source + a)
            written.append(start_target + b)
            start_source += size_source
            start_target += size_target
        self._taken, self._written = np.concatenate(taken), np.concatenate(written)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n, source nstate) as rows (n, target nstate)."""
        translated = np.tile(self._rest, (len(rows), 1))
        translated[:, self._written] = rows[:, self._taken]
        return translated


def _components() -> list[int]:
    """The parts of an integration state, in the order in which a row holds them."""
    bits = [1 << i for i in range(int(mujoco.mjtState.mjNSTATE))]
    return [bit for bit in bits if INTEGRATION & bit]


def _shared(
    source: mujoco.MjModel,
    target: mujoco.MjModel,
    component: int,
    size_source: int,
    size_target: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where a component's common entries are in the source and in the target."""
    if component == _POSITION:
        return _by_joint(source, target, source.jnt_qposadr, target.jnt_qposadr, (7, 4, 1, 1))
    if component in _PER_VELOCITY:
        return _by_joint(source, target, source.jnt_dofadr, target.jnt_dofadr, (6, 3, 1, 1))
    if component == _PER_BODY:
        pairs = _same_names(source, target, source.nbody, target.nbody, "body")
        a, b = (np.array(ids, int)[:, None] * 6 + np.arange(6) for ids in zip(*pairs, strict=True))
        return a.ravel(), b.ravel()
    if size_source != size_target:
        name = mujoco.mjtState(component).name
        raise ValueError(f"the scenes differ in {name}: {size_source} and {size_target} numbers")
    return np.arange(size_source), np.arange(size_target)


def _by_joint(
    source: mujoco.MjModel,
    target: mujoco.MjModel,
    source_starts: np.ndarray,
    target_starts: np.ndarray,
    widths: tuple[int, int, int, int],
) -> tuple[np.ndarray, np.ndarray]:
    a, b = [], []
    for i, j in _same_names(source, target, source.njnt, target.njnt, "joint"):
        width = np.arange(widths[int(source.jnt_type[i])])
        a.append(source_starts[i] + width)
        b.append(target_starts[j] + width)
    return np.concatenate(a), np.concatenate(b)


def _same_names(
    source: mujoco.MjModel, target: mujoco.MjModel, count: int, target_count: int, kind: str
) -> list[tuple[int, int]]:
    """Identifiers in both models of what has the same name; what has none is left out."""
    theirs = {getattr(target, kind)(j).name: j for j in range(target_count)}
    names = [getattr(source, kind)(i).name for i in range(count)]
    return [(i, theirs[name]) for i, name in enumerate(names) if name and name in theirs]
