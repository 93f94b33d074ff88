"""The objects of the complex hook task on one sheet."""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import mujoco
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from rpl.errors import whole_file
from rpl.tasks.fetch.objects import RigidObject, add_mesh
from rpl.viz.curves import PLAIN_TEXT

TRAINING_COLOUR, HELD_OUT_COLOUR = (0.85, 0.6, 0.3, 1.0), (0.3, 0.5, 0.8, 1.0)


def draw_objects(objects: Sequence[RigidObject], path: Path, columns: int = 16) -> None:
    """Draws the objects to one scale with their names; held-out ones are blue.

    Args:
        objects: what to draw, in order.
        path: the picture to write; the suffix decides the format.
        columns: objects side by side.
    """
    with rc_context(PLAIN_TEXT), whole_file(path) as beside:
        _sheet(objects, columns).savefig(beside)


def _sheet(objects: Sequence[RigidObject], columns: int) -> Figure:
    pixels, gap = 128, 20
    rows = -(-len(objects) // columns)
    sheet = np.full((rows * (pixels + gap), columns * pixels, 3), 255, np.uint8)
    figure = Figure(figsize=(sheet.shape[1] / 120, sheet.shape[0] / 120), dpi=120)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.axis("off")
    for i, (rigid, tile) in enumerate(zip(objects, _tiles(objects, pixels), strict=True)):
        top, left = i // columns * (pixels + gap), i % columns * pixels
        sheet[top : top + pixels, left : left + pixels] = tile
        axes.text(
            left + pixels / 2, top + pixels + 4, rigid.name, fontsize=6, ha="center", va="top"
        )
    axes.imshow(sheet)
    return figure


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
