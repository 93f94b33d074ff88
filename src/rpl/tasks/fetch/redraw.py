"""Other objects and other bumps in each simulation of one batch, changed without recompiling.

The batch's model carries the meshes of all objects and a body for every bump. What a
simulation shows of them is a matter of numbers in the model, which ``Batch.expand``
keeps per simulation. The result is bit for bit the separately compiled scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.batch import Batch

from rpl.tasks.fetch.lean import pair_friction
from rpl.tasks.fetch.objects import RigidObject, add_mesh, become

# What in a model depends on the object alone: its shape, its mass, and what follows from them.
BODY_FIELDS = (
    *("body_mass", "body_inertia", "body_ipos", "body_iquat", "body_sameframe"),
    *("body_subtreemass", "body_invweight0"),
)
GEOM_FIELDS = (
    *("geom_size", "geom_pos", "geom_quat", "geom_sameframe", "geom_aabb", "geom_rbound"),
    "geom_friction",
)
DrawnBumps = tuple[np.ndarray, np.ndarray]
"""Positions and half-sizes, (most, 3) each."""
BUMP_COLOUR = (0.55, 0.7, 0.55, 1.0)
DOF_FIELDS = ("dof_damping", "dof_invweight0", "dof_M0", "dof_length")


class ObjectSwitch:
    """Lets each simulation of a batch have one of several objects.

    The batch's model has the meshes of all of them and shows one, as ``body``, which has a free
    joint and one geom.
    """

    def __init__(self, batch: Batch, body: str, objects: Sequence[RigidObject]) -> None:
        model = batch.model
        rows = _rows(model, model.body(body).id)
        # Where the body is when at rest decides how its constants are rounded.
        place = model.qpos0[int(model.jnt_qposadr[model.body_jntadr[model.body(body).id]]) :][:7]
        alone = [_compile_alone(rigid, place) for rigid in objects]
        self._fields: list[tuple[np.ndarray, slice | np.ndarray, np.ndarray]] = []
        for name, row in rows.items():
            table = np.stack([getattr(m, name)[_rows(m, 1)[name]] for m in alone])
            self._fields.append((batch.expand(name), row, table))
        geom = int(model.body_geomadr[model.body(body).id])
        mesh_ids = np.array([[model.mesh(rigid.name).id] for rigid in objects], np.int32)
        self._fields.append((batch.expand("geom_dataid"), slice(geom, geom + 1), mesh_ids))
        pairs = np.flatnonzero((model.pair_geom1 == geom) | (model.pair_geom2 == geom))
        if len(pairs):
            # The object has priority: its friction counts for both.
            friction = pair_friction(np.stack([m.geom_friction[0] for m in alone]))
            self._fields.append((batch.expand("pair_friction"), pairs, friction[:, None]))

    def put(self, simulation: int, index: int) -> None:
        """Gives a simulation an object, by its position among them."""
        for values, row, table in self._fields:
            values[simulation, row] = table[index]


def _rows(model: mujoco.MjModel, body: int) -> dict[str, slice]:
    """Where the numbers of a body with one geom and one free joint are, by field."""
    geom, dof = int(model.body_geomadr[body]), int(model.body_dofadr[body])
    rows = {
        **dict.fromkeys(BODY_FIELDS, slice(body, body + 1)),
        **dict.fromkeys(GEOM_FIELDS, slice(geom, geom + 1)),
        **dict.fromkeys(DOF_FIELDS, slice(dof, dof + 6)),
    }
    # Only bodies whose contacts are searched for have bounding volumes; see tasks/lean.py.
    if count := int(model.body_bvhnum[body]):
        bvh = int(model.body_bvhadr[body])
        rows["bvh_aabb"] = slice(bvh, bvh + count)
    return rows


def _compile_alone(rigid: RigidObject, place: np.ndarray) -> mujoco.MjModel:
    """The object in an empty world, as body 1."""
    spec = mujoco.MjSpec()
    add_mesh(spec, rigid)
    body = spec.worldbody.add_body(pos=place[:3], quat=place[3:])
    body.add_freejoint()
    body.add_geom()
    become(body, rigid)
    return spec.compile()


@dataclass(frozen=True)
class Bumps:
    """How boxes are strewn over a table: they rest on it and do not move."""

    centre: tuple[float, float, float]
    """Of the table's top, metres."""
    fewest: int = 5
    most: int = 15
    reach: float = 0.3
    """Metres from the centre along x and y."""
    smallest: tuple[float, float, float] = (1e-3, 1e-3, 1e-4)
    largest: tuple[float, float, float] = (0.05, 0.05, 0.005)
    """Half-sizes, metres."""
    unused_depth: float = 0.1
    """Metres below the table's top where the slots that an episode leaves empty are kept."""

    def names(self) -> list[str]:
        """The names of the bodies."""
        return [f"bump{i}" for i in range(self.most)]

    def draw(self, generator: np.random.Generator) -> DrawnBumps:
        """Positions and half-sizes, each (most, 3), of an episode's bumps."""
        count = int(generator.integers(self.fewest, self.most + 1))
        half_sizes = np.full((self.most, 3), self.smallest)
        positions = np.tile(self.centre, (self.most, 1))
        positions[:, 2] -= self.unused_depth
        half_sizes[:count] = generator.uniform(self.smallest, self.largest, (count, 3))
        positions[:count, :2] += generator.uniform(-self.reach, self.reach, (count, 2))
        positions[:count, 2] = self.centre[2] + half_sizes[:count, 2]
        return positions, half_sizes

    def add_to(self, spec: mujoco.MjSpec, drawn: DrawnBumps) -> None:
        """Adds the bodies to a scene."""
        for name, position, half_size in zip(self.names(), *drawn, strict=True):
            # With inertia given, nothing but its place and its size depends on the draw.
            body = spec.worldbody.add_body(name=name, pos=position)
            body.explicitinertial, body.mass, body.inertia = True, 1.0, (1.0, 1.0, 1.0)
            body.ipos = (0.0, 0.0, 0.0)
            geom = body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX)
            geom.size, geom.rgba = half_size, BUMP_COLOUR


class BumpSwitch:
    """Lets each simulation of a batch have bumps of its own: geoms that ``bumps.add_to`` made."""

    def __init__(self, batch: Batch, bumps: Bumps) -> None:
        model = batch.model
        self._geoms = np.array([model.geom(name).id for name in bumps.names()])
        bodies = model.geom_bodyid[self._geoms]
        self._merged = not bodies.any()  # with the world, in lean physics
        self._places = self._geoms if self._merged else bodies
        self._position = batch.expand("geom_pos" if self._merged else "body_pos")
        self._size = batch.expand("geom_size")
        self._box = batch.expand("geom_aabb")
        self._radius = batch.expand("geom_rbound")
        if not self._merged:
            self._volumes = model.body_bvhadr[bodies]
            self._volume = batch.expand("bvh_aabb")

    def put(self, simulation: int, drawn: DrawnBumps) -> None:
        """Gives a simulation the drawn bumps."""
        positions, half_sizes = drawn
        self._position[simulation, self._places] = positions
        self._size[simulation, self._geoms] = half_sizes
        self._box[simulation, self._geoms, 3:] = half_sizes
        self._radius[simulation, self._geoms] = np.sqrt((half_sizes**2).sum(axis=1))
        if not self._merged:
            self._volume[simulation, self._volumes, 3:] = half_sizes
