"""How MuJoCo, if there is one, draws on a machine without a screen."""

from __future__ import annotations

import ctypes.util
import os


def choose_gl_backend() -> None:
    """Lets MuJoCo draw without a screen: must run before ``mujoco`` is first imported.

    MuJoCo reads ``MUJOCO_GL`` at import and assumes a display otherwise. A value that
    the user set stays.
    """
    if os.name == "posix" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        if ctypes.util.find_library("EGL"):
            os.environ.setdefault("MUJOCO_GL", "egl")
        elif ctypes.util.find_library("OSMesa"):
            os.environ.setdefault("MUJOCO_GL", "osmesa")
        else:
            os.environ.setdefault("MUJOCO_GL", "disable")
