"""What a controller does with the action range, and what a residual can then do."""

from __future__ import annotations

import numpy as np

from rpl.check.finding import Findings
from rpl.tasks.gym.task import GymnasiumTask

MOSTLY = 0.5
TIMES_THE_CONTROLLER = 10.0  # further than this beyond what it does, a residual is a leap
AT = 1e-6  # two actions are one, and a bound is reached


def check_actions(
    findings: Findings, task: GymnasiumTask, actions: np.ndarray, scale: float | tuple[float, ...]
) -> None:
    """Looks at actions (steps, num_envs, action_dim) in halves of the range."""
    _check_bounds(findings, task, actions)
    if not np.ptp(actions, axis=(0, 1)).any():
        findings.warning("constant", "its action never changes: does it look at the observation?")
    scales = np.broadcast_to(np.asarray(scale, float), actions.shape[2:])
    _check_switches(findings, actions, scales)
    _check_share(findings, task, actions, scales)


def _check_bounds(findings: Findings, task: GymnasiumTask, actions: np.ndarray) -> None:
    beyond = np.abs(actions) > 1.0 + AT
    if not beyond.any():
        return
    step, row, component = np.unravel_index(np.argmax(np.abs(actions)), actions.shape)
    value = task.action_middle + task.action_reach * actions[step, row]
    share = "less than 1 %" if beyond.mean() < 0.01 else f"{beyond.mean():.0%}"
    findings.add(
        "warning" if beyond.mean() > MOSTLY else "note",
        "beyond-bounds",
        f"{share} of its action components are beyond the bounds and are clipped, "
        f"such as {value[component]:.4g} in component {component}, where the bounds are "
        f"[{task.action_low[component]:.4g}, {task.action_high[component]:.4g}]: are they in "
        "the environment's units?",
    )


def _check_switches(findings: Findings, actions: np.ndarray, scales: np.ndarray) -> None:
    """Components that know two values, as grippers, whose side a small residual cannot change."""
    switches = [c for c in range(actions.shape[2]) if _is_switch(actions[..., c])]
    stuck = [c for c in switches if np.abs(np.clip(actions[..., c], -1, 1)).min() >= scales[c]]
    if not stuck:
        return
    proposed = " ".join(f"{2.0 if c in stuck else s:g}" for c, s in enumerate(scales))
    values = "its bounds" if len(stuck) > 1 else _values(actions[..., stuck[0]])
    one = len(stuck) == 1
    findings.warning(
        "two-valued",
        f"component{'' if one else 's'} {', '.join(map(str, stuck))} of its action only ever "
        f"take{'s' if one else ''} {values}, as a gripper's does: a residual of scale "
        f"{scales[stuck[0]]:g} cannot change {'its' if one else 'their'} side, so that a wrong one "
        f"stays wrong; give {'it' if one else 'them'} a scale of 2, --residual.scale {proposed}",
    )


def _is_switch(values: np.ndarray) -> bool:
    """Whether a component has two values, or is always at a bound."""
    different = np.unique(np.round(np.clip(values, -1.0, 1.0) / AT))
    at_bounds = np.abs(values) >= 1.0 - AT
    return bool(at_bounds.all()) or (len(different) == 2 and float(np.ptp(values)) >= MOSTLY)


def _values(values: np.ndarray) -> str:
    different = np.unique(np.round(np.clip(values, -1.0, 1.0), 3))
    return " or ".join(f"{value:g}" for value in different) + " of its range [-1, 1]"


def _check_share(
    findings: Findings, task: GymnasiumTask, actions: np.ndarray, scales: np.ndarray
) -> None:
    """Ranges so wide that the controller uses hardly anything of them."""
    used = np.ptp(np.clip(actions, -1.0, 1.0), axis=(0, 1)) / 2.0
    wide = (used > 0.0) & (scales > TIMES_THE_CONTROLLER * used)
    if not wide.any():
        return
    c = int(np.argmax(np.where(wide, scales / np.maximum(used, 1e-300), 0.0)))
    narrower = np.where(wide, 2.0 * used, scales)
    proposed = " ".join(f"{scale:.1g}" for scale in narrower)
    findings.warning(
        "small-share",
        f"it uses {used[c]:.1%} of the range of component {c}, whose bounds are "
        f"[{task.action_low[c]:.4g}, {task.action_high[c]:.4g}]: a residual of scale {scales[c]:g} "
        f"adds up to {scales[c] / used[c]:.0f} times what it ever does; narrow the bounds, or give "
        f"--residual.scale {proposed}",
    )
