"""The simulator state of one scene in another scene with some joints more or fewer."""

import mujoco
import numpy as np

State = mujoco.mjtState
INTEGRATION = int(State.mjSTATE_INTEGRATION)
PER_VELOCITY = (State.mjSTATE_QVEL, State.mjSTATE_WARMSTART, State.mjSTATE_QFRC_APPLIED)
# Of a free joint, a ball, a slide, a hinge.
POSITIONS, VELOCITIES = (7, 4, 1, 1), (6, 3, 1, 1)


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
        a, b = _places(source), _places(target)
        shared = [key for key in a if key in b]
        for component, name in shared:
            one, other = len(a[component, name]), len(b[component, name])
            if one != other:
                differing = State(component).name
                raise ValueError(f"the scenes differ in {differing}: {one} and {other} numbers")
        self._taken = np.concatenate([a[key] for key in shared])
        self._written = np.concatenate([b[key] for key in shared])

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n, source nstate) as rows (n, target nstate)."""
        translated = np.tile(self._rest, (len(rows), 1))
        translated[:, self._written] = rows[:, self._taken]
        return translated


def _places(model: mujoco.MjModel) -> dict[tuple[int, str], np.ndarray]:
    """Where a row holds each component, and within it each joint or body; none without a name."""
    places, start = {}, 0
    for component in (1 << i for i in range(int(State.mjNSTATE))):
        if INTEGRATION & component:
            for name, entries in _parts(model, component).items():
                places[component, name] = start + entries
            start += mujoco.mj_stateSize(model, component)
    return places


def _parts(model: mujoco.MjModel, component: int) -> dict[str, np.ndarray]:
    """The entries of one component by the joint or the body that they belong to, else by ""."""
    if component == State.mjSTATE_QPOS or component in PER_VELOCITY:
        of_positions = component == State.mjSTATE_QPOS
        starts = model.jnt_qposadr if of_positions else model.jnt_dofadr
        widths = np.array(POSITIONS if of_positions else VELOCITIES)[model.jnt_type]
        names = [model.joint(i).name for i in range(model.njnt)]
    elif component == State.mjSTATE_XFRC_APPLIED:
        starts, widths = 6 * np.arange(model.nbody), np.full(model.nbody, 6)
        names = [model.body(i).name for i in range(model.nbody)]
    else:
        return {"": np.arange(mujoco.mj_stateSize(model, component))}
    parts = zip(names, starts, widths, strict=True)
    return {name: start + np.arange(width) for name, start, width in parts if name}
