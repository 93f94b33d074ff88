"""Closed triangle meshes built from a few kinds of solid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from rpl.tasks.fetch.meshes import Mesh

Vector = Sequence[float] | np.ndarray


class Solid(Mesh):
    """A mesh that can be moved and joined with others."""

    def __add__(self, other: Solid) -> Solid:
        """Both solids as one mesh; they may overlap."""
        faces = np.concatenate([self.faces, other.faces + len(self.vertices)])
        return Solid(np.concatenate([self.vertices, other.vertices]), faces)

    def move(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Solid:
        """Shifted."""
        return Solid(np.add(self.vertices, (x, y, z)), self.faces)

    def scale(self, x: float, y: float, z: float) -> Solid:
        """Stretched by positive factors about the origin."""
        return Solid(self.vertices * (x, y, z), self.faces)

    def turn(self, axis: str, degrees: float) -> Solid:
        """Turned about one of the axes ``"x"``, ``"y"``, ``"z"`` through the origin."""
        rotation = Rotation.from_euler(axis, degrees, degrees=True)
        return Solid(rotation.apply(self.vertices), self.faces)


def loft(rings: np.ndarray) -> Solid:
    """The solid through consecutive rings (k, n, 3), closed by a fan at either end.

    Rings run anticlockwise when seen from the last one. Rings may shrink to a point.
    """
    k, n = rings.shape[:2]
    start = n * np.arange(k - 1)[:, None]
    i, j = np.arange(n), (np.arange(n) + 1) % n
    here, there = start + i, start + j
    sides = [
        np.stack([here, there, there + n], axis=-1),
        np.stack([here, there + n, here + n], axis=-1),
    ]
    bottom, top = np.full(n, k * n), np.full(n, k * n + 1)
    ends = [
        np.stack([bottom, j, i], axis=-1),
        np.stack([top, i + n * (k - 1), j + n * (k - 1)], -1),
    ]
    faces = np.concatenate([part.reshape(-1, 3) for part in (*sides, *ends)])
    centres = rings[[0, -1]].mean(axis=1)
    return _without_slivers(np.concatenate([rings.reshape(-1, 3), centres]), faces)


def _without_slivers(vertices: np.ndarray, faces: np.ndarray) -> Solid:
    """Merges vertices that coincide and drops the triangles that this leaves without area."""
    _, first, names = np.unique(vertices.round(9), axis=0, return_index=True, return_inverse=True)
    faces = names.reshape(-1)[faces]
    distinct = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return Solid(vertices[first], faces[distinct])


def lathe(profile: Sequence[tuple[float, float]], segments: int = 16) -> Solid:
    """The solid of revolution about z of a profile of (radius, height), bottom to top outside.

    A profile that comes back down inside makes a vessel.
    """
    angle = np.linspace(0.0, 2 * np.pi, segments, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(segments)], axis=-1)
    return loft(np.stack([radius * circle + (0, 0, height) for radius, height in profile]))


def box(x: float, y: float, z: float) -> Solid:
    """A box with these edges, standing on the plane z = 0 about the z axis."""
    corners = np.array(((x, y, 0.0), (-x, y, 0.0), (-x, -y, 0.0), (x, -y, 0.0))) / 2
    return loft(np.stack([corners, np.add(corners, (0.0, 0.0, z))]))


def cylinder(radius: float, height: float, top: float | None = None, segments: int = 16) -> Solid:
    """A cylinder, or a cone with the given ``top`` radius, standing on z = 0."""
    return lathe([(radius, 0.0), (radius if top is None else top, height)], segments)


def ball(x: float, y: float | None = None, z: float | None = None, segments: int = 12) -> Solid:
    """An ellipsoid with these half-axes about the origin; a sphere with one."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    sphere = lathe(list(zip(np.cos(angle).round(12), np.sin(angle), strict=True)), segments)
    return sphere.scale(x, x if y is None else y, x if z is None else z)


def prism(outline: Sequence[tuple[float, float]] | np.ndarray, height: float) -> Solid:
    """An outline (n, 2), anticlockwise and star-shaped about its mean, raised from z = 0."""
    ring = np.pad(np.asarray(outline, float), ((0, 0), (0, 1)))
    return loft(np.stack([ring, np.add(ring, (0.0, 0.0, height))]))


def star(points: int, outer: float, inner: float, height: float) -> Solid:
    """A prism over a star, a gear or, with equal radii, a polygon of 2 ``points`` corners."""
    angle = np.linspace(0.0, 2 * np.pi, 2 * points, endpoint=False)
    radius = np.where(np.arange(2 * points) % 2, inner, outer)
    return prism(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1), height)


def tube(path: Sequence[Vector] | np.ndarray, radius: float, normal: Vector = (0, 1, 0)) -> Solid:
    """A round bar along a plane path (k, 3) whose plane has the given normal."""
    points, across = np.asarray(path, float), np.asarray(normal, float)
    along = np.gradient(points, axis=0)
    side = np.cross(across, along)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    angle = np.linspace(0.0, 2 * np.pi, 8, endpoint=False)[:, None]
    rings = [
        p + radius * (np.cos(angle) * s + np.sin(angle) * across)
        for p, s in zip(points, side, strict=True)
    ]
    return loft(np.stack(rings))


def arc(radius: float, start: float, stop: float, steps: int = 9) -> np.ndarray:
    """Points (steps, 3) on a circle in the plane y = 0, from ``start`` to ``stop`` degrees."""
    angle = np.radians(np.linspace(start, stop, steps))
    return np.stack([radius * np.cos(angle), np.zeros(steps), radius * np.sin(angle)], axis=-1)
