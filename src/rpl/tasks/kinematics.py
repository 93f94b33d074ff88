"""Batched kinematics that MuJoCo's bound fields do not give directly."""

import mujoco
import numpy as np
from mujoco.batch import Batch


def euler_angles(rotation: np.ndarray) -> np.ndarray:
    """Angles (..., 3) about x, y, z, in radians, of rotation matrices (..., 9) or (..., 3, 3).

    R = Rx(x) Ry(y) Rz(z). At the poles, where x and z turn about one axis, x is zero.
    """
    r = rotation.reshape(*rotation.shape[: -1 if rotation.shape[-1] == 9 else -2], 9)
    r00, r01, r02, r10, r11, r12, _, _, r22 = np.moveaxis(r, -1, 0)
    cos_y = np.hypot(r22, r12)
    angles = np.empty((*r.shape[:-1], 3))
    angles[..., 0] = np.arctan2(-r12, r22)
    angles[..., 1] = np.arctan2(r02, cos_y)
    angles[..., 2] = np.arctan2(-r01, r00)
    pole = cos_y <= 4 * np.finfo(np.float64).eps
    if np.any(pole):
        angles[..., 0][pole] = 0.0
        angles[..., 2][pole] = np.arctan2(r10, r11)[pole]
    return angles


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b for rows of three, (n, 3); NumPy's own spends most of its time on axes."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=1)


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
        self._moves_site = np.zeros(model.nv)  # 1 for the joints between the world and the site
        while body != 0:
            first, count = int(model.body_dofadr[body]), int(model.body_dofnum[body])
            self._moves_site[first : first + count] = 1.0
            body = int(model.body_parentid[body])
        self._axes = batch.bind("cdof")  # (num_envs, nv, 6): rotation, then translation
        self._velocity = batch.bind("qvel")
        self._centre = batch.bind("subtree_com")
        self._position = batch.bind("site_xpos")

    def __call__(self) -> tuple[np.ndarray, np.ndarray]:
        """Linear (num_envs, 3), m/s, and angular (num_envs, 3), rad/s."""
        joint_velocity = (self._velocity * self._moves_site)[:, np.newaxis]
        motion = (joint_velocity @ self._axes)[:, 0]
        angular, linear = motion[:, :3], motion[:, 3:]
        arm = self._position[:, self._site] - self._centre[:, self._root]
        return linear + cross(angular, arm), angular
