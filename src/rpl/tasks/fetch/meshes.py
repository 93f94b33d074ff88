"""Closed triangle meshes, and how they are read from files."""

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rpl.errors import Failure

MESH_SUFFIXES = (".stl", ".obj")


class MeshError(Failure, ValueError):
    """A mesh file cannot be used; the message names the file and says why."""


@dataclass(frozen=True)
class Mesh:
    """Vertices (n, 3) and the triangles (m, 3) between them, seen anticlockwise from outside."""

    vertices: np.ndarray
    faces: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """Extents (3,) along the axes."""
        return np.ptp(self.vertices, axis=0)


def read_mesh(path: Path) -> Mesh:
    """A mesh from an STL or OBJ file, in the file's own frame and units.

    Raises:
        MeshError: if MuJoCo cannot read it or cannot make a solid of it.
    """
    spec = mujoco.MjSpec()
    spec.add_mesh(
        name="mesh", file=str(path.resolve()), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    )
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh")
    try:
        model = spec.compile()
    except ValueError as error:
        reason = str(error).removeprefix("Error: ").splitlines()[0]
        raise MeshError(
            f"{path} cannot be used as an object: {reason} (wanted: a binary STL or an OBJ file "
            "of a solid that is not flat)"
        ) from error
    # MuJoCo turned the mesh into the frame of its inertia and recorded how.
    frame = Rotation.from_quat(model.mesh_quat[0], scalar_first=True)
    return Mesh(frame.apply(model.mesh_vert) + model.mesh_pos[0], model.mesh_face.copy())
