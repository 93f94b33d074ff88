"""Makes the 128 objects of complex-hook and stores them in the package.

    python -m tools.objects.library

in the repository's root writes ``src/rpl/tasks/data/objects.npz``, whose arrays a seed decides.
Sizes, masses and the like are spread as ``rpl.tasks.fetch.objects``
spreads them for anybody's meshes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rpl.tasks.fetch.objects import FACTS, LIBRARY_FILE, RigidObject, with_properties
from tools.objects.shapes import SHAPES

SEED = 2018
PER_CATEGORY = 4
# Kinds that no training episode shows; with more single objects 28 of 128 are held out.
UNSEEN_CATEGORIES = ("teapot", "turtle", "truck", "stool")
ALSO_HELD_OUT = 12


def make_library() -> tuple[RigidObject, ...]:
    """128 objects of 32 kinds, 100 of them for training; the same on every call."""
    generator = np.random.default_rng(SEED)
    shapes = {
        f"{category}-{i + 1}": (category, shape(generator))
        for category, shape in SHAPES.items()
        for i in range(PER_CATEGORY)
    }
    seen = [name for name, (category, _) in shapes.items() if category not in UNSEEN_CATEGORIES]
    kept_back = set(generator.choice(seen, ALSO_HELD_OUT, replace=False))
    held_out = [
        category in UNSEEN_CATEGORIES or name in kept_back for name, (category, _) in shapes.items()
    ]
    return with_properties(shapes, held_out, generator)


def as_arrays(objects: Sequence[RigidObject]) -> dict[str, np.ndarray]:
    """What ``rpl.tasks.fetch.objects.library`` reads: a value an object, all meshes end to end."""
    vertices, faces = [o.mesh.vertices for o in objects], [o.mesh.faces for o in objects]
    return {
        **{fact: np.array([getattr(o, fact) for o in objects]) for fact in FACTS},
        "vertices": np.concatenate(vertices),
        "vertices_count": np.array([len(part) for part in vertices]),
        "faces": np.concatenate(faces),
        "faces_count": np.array([len(part) for part in faces]),
    }


if __name__ == "__main__":
    np.savez_compressed(LIBRARY_FILE, allow_pickle=False, **as_arrays(make_library()))
    print(f"wrote {LIBRARY_FILE}")
