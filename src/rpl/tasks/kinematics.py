"""Batched kinematics that MuJoCo's bound fields do not give directly."""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch


def euler_angles(rotation: np.ndarray) -> np.ndarray:
    """Angles (..., 3) about x, y, z, in radians, of rotation matrices (..., 9) or (..., 3, 3).

    R = Rx(x) Ry(y) Rz(z). At the poles, where x and z turn about one axis, x is zero.
    """
    r = rotation.reshape(*rotation.shape[: -1 if rotation.shape[-1] == 9 else -2], 3, 3)
    cos_y = np.hypot(r[..., 2, 2], r[..., 1, 2])
    regular = cos_y > 4 * np.finfo(np.float64).eps
    x = np.where(regular, -np.arctan2(r[..., 1, 2], r[..., 2, 2]), 0.0)
    y = -np.arctan2(-r[..., 0, 2], cos_y)
    z = -np.where(
        regular,
        np.arctan2(r[..., 0, 1], r[..., 0, 0]),
        np.arctan2(-r[..., 1, 0], r[..., 1, 1]),
    )
    return np.stack([x, y, z], axis=-1)


class SiteVelocity:
    """Linear and angular velocity of a site, J(x) qvel, in every simulation.

    After a step MuJoCo's positions, and so the Jacobian, are one substep older than qvel.
    The published environments mix the two, and observations must agree with theirs: hence
    the product of the bound (older) motion axes with the current velocities, rather than
    the batch's own Jacobian, which first recomputes the positions.
    """

    def __init__(self, batch: Batch, model: mujoco.MjModel, site: str) -> None:
        self._site = model.site(site).id
        body = int(model.site_bodyid[self._site])
        self._root = int(model.body_rootid[body])
        dofs = []
        while body != 0:
            first, count = int(model.body_dofadr[body]), int(model.body_dofnum[body])
            dofs.extend(range(first, first + count))
            body = int(model.body_parentid[body])
        self._dofs = np.sort(np.array(dofs))
        self._axes = batch.bind("cdof")  # (num_envs, nv, 6): rotation, then translation
        self._velocity = batch.bind("qvel")
        self._centre = batch.bind("subtree_com")
        self._position = batch.bind("site_xpos")

    def __call__(self) -> tuple[np.ndarray, np.ndarray]:
        """Linear (num_envs, 3), m/s, and angular (num_envs, 3), rad/s."""
        motion = np.einsum("nvk,nv->nk", self._axes[:, self._dofs], self._velocity[:, self._dofs])
        angular, linear = motion[:, :3], motion[:, 3:]
        arm = self._position[:, self._site] - self._centre[:, self._root]
        return linear + np.cross(angular, arm), angular
