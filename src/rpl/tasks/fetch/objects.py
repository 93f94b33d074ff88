"""The objects of the complex hook task: the stored library, or a folder of the user's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rpl.tasks.fetch.meshes import MESH_SUFFIXES, Mesh, MeshError, read_mesh
from rpl.tasks.fetch.options import LIBRARY, Split

LIBRARY_FILE = Path(__file__).parents[1] / "data" / "objects.npz"
# What the library's file holds of each object beside its mesh.
FACTS = ("name", "category", "mass", "friction", "damping", "held_out")
FOLDER_SEED, HELD_OUT_SHARE = 2018, 0.2  # of a user's folder
# As in the published scenes, but for the friction: see docs/hooks.md.
SMALLEST, LARGEST = 0.06, 0.136  # metres, the longest side
LIGHTEST, HEAVIEST = 0.04, 1.5  # kg
DAMPING, FRICTION = (0.2, 5.0), (0.1, 4.0)
MAX_HULL_VERTICES = 64  # of the convex hull that collides
# A body whose mass is centred on its own frame takes a shorter path in MuJoCo, with arrays of
# other sizes. This shift, in metres, keeps every object's arrays alike.
OFF_CENTRE = 3e-4


@dataclass(frozen=True)
class RigidObject:
    """A solid that is drawn as its mesh and collides as the mesh's convex hull."""

    name: str
    category: str
    mesh: Mesh
    """In metres, about the centre of its bounding box, upright."""
    mass: float
    """kg"""
    friction: float
    """Sliding friction against everything it touches."""
    damping: float
    """Of its free joint: N s/m and N m s/rad."""
    held_out: bool
    """Kept from training."""


@lru_cache(maxsize=1)
def library() -> tuple[RigidObject, ...]:
    """128 objects of 32 kinds, 100 of them for training.

    They were made once, by a seed, and are read as they were stored: ``tools/objects`` of the
    repository makes them again.
    """
    with np.load(LIBRARY_FILE, allow_pickle=False) as file:
        stored = dict(file)
    parts = (
        np.split(stored[name], np.cumsum(stored[f"{name}_count"])[:-1])
        for name in ("vertices", "faces")
    )
    facts = (stored[name].tolist() for name in FACTS)
    return tuple(
        RigidObject(mesh=Mesh(vertices, faces), **dict(zip(FACTS, values, strict=True)))
        for vertices, faces, *values in zip(*parts, *facts, strict=True)
    )


@lru_cache(maxsize=4)
def folder_objects(folder: str) -> tuple[RigidObject, ...]:
    """The STL and OBJ files in a folder and its subfolders, scaled to the library's sizes.

    A file's category is its subfolder's name, else its own without digits at the end. A
    fifth of the files is held out. Masses and the like are drawn as for the library.

    Raises:
        MeshError: if a file cannot be used, or the folder holds none.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise MeshError(
            f"there is no folder {folder}; wanted: one with {' or '.join(MESH_SUFFIXES)} files"
        )
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in MESH_SUFFIXES)
    if not paths:
        raise MeshError(f"{folder} holds no {' or '.join(MESH_SUFFIXES)} files")
    generator = np.random.default_rng(FOLDER_SEED)
    shapes = {p.relative_to(root).as_posix(): (_category(p, root), read_mesh(p)) for p in paths}
    held_out = np.zeros(len(paths), bool)
    held_out[generator.permutation(len(paths))[: int(HELD_OUT_SHARE * len(paths))]] = True
    return with_properties(shapes, held_out.tolist(), generator)


def _category(path: Path, root: Path) -> str:
    if path.parent != root:
        return path.parent.name
    return path.stem.rstrip("0123456789-_ ") or path.stem


def choose_objects(source: str, split: Split) -> tuple[RigidObject, ...]:
    """The objects of a split, from the ``"library"`` or a folder.

    Raises:
        MeshError: if the folder cannot be used or holds too few objects to hold some out.
    """
    objects = library() if source == LIBRARY else folder_objects(source)
    if split == "all":
        return objects
    chosen = tuple(o for o in objects if o.held_out == (split == "held-out"))
    if not chosen:
        raise MeshError(
            f"{source} holds {len(objects)} meshes, too few to hold out a fifth of them"
        )
    return chosen


def with_properties(
    shapes: Mapping[str, tuple[str, Mesh]], held_out: Sequence[bool], generator: np.random.Generator
) -> tuple[RigidObject, ...]:
    """Sizes at random; masses, frictions and dampings spread evenly within either split.

    ``shapes`` has the category and the upright mesh, in any unit, of each name.
    """
    mass, friction, damping = (np.empty(len(shapes)) for _ in range(3))
    for part in (np.flatnonzero(held_out), np.flatnonzero(~np.asarray(held_out, bool))):
        mass[part] = LIGHTEST * (HEAVIEST / LIGHTEST) ** _spread(len(part), generator)
        friction[part] = np.interp(_spread(len(part), generator), (0, 1), FRICTION)
        damping[part] = np.interp(_spread(len(part), generator), (0, 1), DAMPING)
    facts = zip(mass.tolist(), friction.tolist(), damping.tolist(), held_out, strict=True)
    return tuple(
        RigidObject(name, category, _fitted(mesh, generator), *numbers, held_out=out)
        for (name, (category, mesh)), (*numbers, out) in zip(shapes.items(), facts, strict=True)
    )


def _spread(count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` values that divide (0, 1) evenly, in random order."""
    return (generator.permutation(count) + 0.5) / max(count, 1)


def _fitted(mesh: Mesh, generator: np.random.Generator) -> Mesh:
    """Turned at random about the vertical, scaled, and moved to the centre of its box."""
    turn = Rotation.from_euler("z", generator.uniform(0.0, 360.0), degrees=True)
    longest = SMALLEST * (LARGEST / SMALLEST) ** generator.uniform()
    vertices = turn.apply(mesh.vertices) * (longest / mesh.size.max())
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return Mesh(vertices + (OFF_CENTRE - middle), mesh.faces)


def add_mesh(spec: mujoco.MjSpec, rigid: RigidObject) -> None:
    """Adds the object's mesh to a scene, under its name."""
    mesh = spec.add_mesh(name=rigid.name, maxhullvert=MAX_HULL_VERTICES)
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    mesh.uservert = rigid.mesh.vertices.ravel()
    mesh.userface = rigid.mesh.faces.ravel()
    # Flat shading: smooth normals would blur the edges of boxes.
    mesh.smoothnormal = False


def become(body: mujoco.MjsBody, rigid: RigidObject) -> None:
    """Makes a body with one free joint and one geom the object, whose mesh was added before."""
    geom = body.first_geom()
    geom.type = mujoco.mjtGeom.mjGEOM_MESH
    geom.meshname = rigid.name
    geom.mass = rigid.mass
    geom.friction[0] = rigid.friction
    # Of two touching surfaces the rougher counts, unless one has priority.
    geom.priority = 1
    body.first_joint().damping = (rigid.damping, 0.0, 0.0)
