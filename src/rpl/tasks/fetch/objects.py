"""The objects of the complex hook task: the stored library, or a folder of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rpl.tasks.fetch.meshes import MESH_SUFFIXES, Mesh, MeshError, read_mesh

LIBRARY = "library"
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

TRAINING_COLOUR, HELD_OUT_COLOUR = (0.85, 0.6, 0.3, 1.0), (0.3, 0.5, 0.8, 1.0)

Split = Literal["training", "held-out", "all"]


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
    """The objects of a split.

    Args:
        source: ``"library"`` or a folder.
        split: ``"training"``, ``"held-out"`` or ``"all"``.

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

    Args:
        shapes: the category and the mesh, upright, in any unit, of each name.
        held_out: which of them are kept from training.
        generator: what all is drawn from.
    """
    mass, friction, damping = (np.empty(len(shapes)) for _ in range(3))
    for part in (np.flatnonzero(held_out), np.flatnonzero(~np.asarray(held_out, bool))):
        mass[part] = LIGHTEST * (HEAVIEST / LIGHTEST) ** _spread(len(part), generator)
        friction[part] = np.interp(_spread(len(part), generator), (0, 1), FRICTION)
        damping[part] = np.interp(_spread(len(part), generator), (0, 1), DAMPING)
    return tuple(
        RigidObject(name, category, _fitted(mesh, generator), m, f, d, out)
        for (name, (category, mesh)), m, f, d, out in zip(
            shapes.items(),
            mass.tolist(),
            friction.tolist(),
            damping.tolist(),
            held_out,
            strict=True,
        )
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


def draw_objects(objects: Sequence[RigidObject], path: Path, columns: int = 16) -> None:
    """Draws the objects to one scale with their names; held-out ones are blue.

    Args:
        objects: what to draw, in order.
        path: the picture to write; the suffix decides the format.
        columns: objects side by side.
    """
    import matplotlib.figure

    pixels, gap = 128, 20
    rows = -(-len(objects) // columns)
    sheet = np.full((rows * (pixels + gap), columns * pixels, 3), 255, np.uint8)
    figure = matplotlib.figure.Figure(figsize=(sheet.shape[1] / 120, sheet.shape[0] / 120), dpi=120)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.axis("off")
    for i, (rigid, tile) in enumerate(zip(objects, _tiles(objects, pixels), strict=True)):
        top, left = i // columns * (pixels + gap), i % columns * pixels
        sheet[top : top + pixels, left : left + pixels] = tile
        axes.text(
            left + pixels / 2, top + pixels + 4, rigid.name, fontsize=6, ha="center", va="top"
        )
    axes.imshow(sheet)
    figure.savefig(path)


def _tiles(objects: Sequence[RigidObject], pixels: int) -> Iterator[np.ndarray]:
    """A (pixels, pixels, 3) picture of each object."""
    spec = mujoco.MjSpec()
    spec.visual.headlight.ambient = (0.35, 0.35, 0.35)
    spec.stat.extent = 0.3
    spec.add_texture(
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=(0.93, 0.93, 0.95),
        rgb2=(0.93, 0.93, 0.95),
        width=16,
        height=16,
    )
    for rigid in objects:
        add_mesh(spec, rigid)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=objects[0].name)
    model = spec.compile()
    data = mujoco.MjData(model)
    camera = mujoco.MjvCamera()
    camera.distance, camera.azimuth, camera.elevation = 0.24, 130.0, -30.0
    with mujoco.Renderer(model, pixels, pixels) as renderer:
        for i, rigid in enumerate(objects):
            model.geom_dataid[0] = i
            model.geom_pos[0], model.geom_quat[0] = model.mesh_pos[i], model.mesh_quat[i]
            model.geom_rgba[0] = HELD_OUT_COLOUR if rigid.held_out else TRAINING_COLOUR
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, camera)
            yield renderer.render()
