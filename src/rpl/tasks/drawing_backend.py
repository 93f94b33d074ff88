"""How MuJoCo, if there is one, draws on a machine without a screen."""

from __future__ import annotations

import ctypes.util
import os

BACKENDS = (
    *("", "egl", "glfw", "glx", "osmesa", "cgl", "wgl", "enable", "enabled", "on", "true", "1"),
    *("disable", "disabled", "off", "false", "0"),
)
LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
UNKNOWN_BACKEND: str | None = None
"""What MUJOCO_GL was set to, where MuJoCo has no such backend, or its library is missing."""


def choose_gl_backend() -> None:
    """Lets MuJoCo draw without a screen: must run before ``mujoco`` is first imported.

    MuJoCo reads ``MUJOCO_GL`` at import and assumes a display otherwise. A value that
    the user set stays, unless MuJoCo knows no such backend and would not even be imported: that
    is said where something is to be drawn.
    """
    global UNKNOWN_BACKEND
    given = os.environ.get("MUJOCO_GL", "").lower().strip()
    library = LIBRARIES.get(given)
    if given not in BACKENDS or (library and not ctypes.util.find_library(library)):
        UNKNOWN_BACKEND = os.environ.pop("MUJOCO_GL")
    if os.name == "posix" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        if ctypes.util.find_library("EGL"):
            os.environ.setdefault("MUJOCO_GL", "egl")
        elif ctypes.util.find_library("OSMesa"):
            os.environ.setdefault("MUJOCO_GL", "osmesa")
        else:
            os.environ.setdefault("MUJOCO_GL", "disable")
