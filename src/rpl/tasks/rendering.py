"""Pictures of a MuJoCo scene, in a window or without a screen."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

import mujoco
import numpy as np

from rpl.errors import Failure
from rpl.tasks import drawing_backend

FRAME_SIZE = (480, 480)  # height and width, pixels
# What differs between the scenes of one task; a window is opened once, on the first.
SHOWN_FIELDS = (
    *("body_pos", "site_pos", "site_rgba"),
    *("geom_pos", "geom_quat", "geom_size", "geom_dataid", "geom_rgba"),
)


class RenderingError(Failure):
    """No picture can be drawn on this machine; the message says what to install."""


@dataclass(frozen=True)
class Camera:
    """A free camera: metres and degrees."""

    distance: float = 1.25
    azimuth: float = 125.0
    elevation: float = -32.0
    lookat: tuple[float, float, float] = (1.3, 0.75, 0.52)

    def place(self, view: mujoco.MjvCamera) -> None:
        """Puts a camera of MuJoCo there."""
        view.distance, view.azimuth, view.elevation = self.distance, self.azimuth, self.elevation
        view.lookat[:] = self.lookat


class SceneRenderer:
    """Draws frames of scenes that share the sizes of one model.

    Raises:
        RenderingError: if there is no way to draw here.
    """

    def __init__(self, model: mujoco.MjModel, camera: Camera) -> None:
        self._from = camera
        self._camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, self._camera)
        camera.place(self._camera)
        self._renderer: mujoco.Renderer | None = None
        self._viewer = None
        self._shown: tuple[mujoco.MjModel, mujoco.MjData] | None = None
        self._viewer_threads: set[threading.Thread] = set()
        self._due = 0.0

    def frame(
        self, model: mujoco.MjModel, data: mujoco.MjData, size: tuple[int, int] = FRAME_SIZE
    ) -> np.ndarray:
        """A picture, (height, width, 3) uint8."""
        if self._renderer is None or (self._renderer.height, self._renderer.width) != size:
            self._close_renderer()
            self._renderer = _renderer(model, *size)
        # The renderer keeps its GL buffers; only the numbers of the model differ between scenes.
        self._renderer._model = model
        self._renderer.update_scene(data, self._camera)
        return self._renderer.render()

    def show(self, model: mujoco.MjModel, data: mujoco.MjData, fps: float) -> None:
        """Shows the scene in a window, and waits so that scenes follow in real time."""
        import mujoco.viewer

        if self._viewer is None:
            if os.environ.get("MUJOCO_GL", "glfw") not in ("glfw", ""):
                raise RenderingError(
                    "a window needs a display: on a machine without one use "
                    "render_mode='rgb_array' or `rpl watch --video film.mp4`"
                )
            self._shown = (model, data)
            others = set(threading.enumerate())
            self._viewer = mujoco.viewer.launch_passive(
                model, data, show_left_ui=False, show_right_ui=False
            )
            self._viewer_threads = set(threading.enumerate()) - others
            self._from.place(self._viewer.cam)
        assert self._shown is not None
        with self._viewer.lock():
            for field in SHOWN_FIELDS:
                getattr(self._shown[0], field)[:] = getattr(model, field)
            self._shown[1].qpos[:] = data.qpos
            self._shown[1].mocap_pos[:] = data.mocap_pos
            mujoco.mj_forward(*self._shown)
        self._viewer.sync()
        time.sleep(max(self._due - time.monotonic(), 0.0))
        self._due = time.monotonic() + 1.0 / fps

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def close(self) -> None:
        """Frees the drawing context and closes the window."""
        self._close_renderer()
        if self._viewer is not None:
            self._viewer.close()
            # The window's thread must be gone before the interpreter is: it would crash.
            for thread in self._viewer_threads:
                thread.join(timeout=5.0)
            self._viewer = None


def _renderer(model: mujoco.MjModel, height: int, width: int) -> mujoco.Renderer:
    model.vis.global_.offwidth = max(model.vis.global_.offwidth, width)
    model.vis.global_.offheight = max(model.vis.global_.offheight, height)
    if drawing_backend.UNKNOWN_BACKEND is not None:
        raise RenderingError(
            f"MUJOCO_GL is '{drawing_backend.UNKNOWN_BACKEND}', which MuJoCo does not know or "
            "finds no library for: choose egl, osmesa or glfw, or unset it"
        )
    try:
        return mujoco.Renderer(model, height, width)
    except Exception as error:
        raise RenderingError(
            "no picture can be drawn here: install an EGL or OSMesa library (Debian: "
            "libegl1 or libosmesa6), or set MUJOCO_GL to a backend that works"
        ) from error
