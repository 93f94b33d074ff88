"""Imports point one way (docs: the layers of the code)."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import rpl

ROOT = Path(rpl.__file__).parent
ABOVE = ("rpl.train", "rpl.epoch", "rpl.making")
HEAVY_LEARNING = ("jax", "equinox", "optax")
EXTRAS = ("torch", "onnx", "onnxruntime", "ray", "stable_baselines3", "envpool")
REACTIVE = ("push", "pick_and_place", "hook", "gripper")


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """The dotted names of import statements among the nodes; ``from a import b`` is ``a.b``."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def everywhere(path: Path) -> set[str]:
    return imported(ast.walk(ast.parse(path.read_text())))


def offending(paths: Iterable[Path], forbidden: Iterable[str]) -> list[str]:
    found = [(path, name) for path in paths for name in everywhere(path)]
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, name in found
        if any(name == f or name.startswith(f"{f}.") for f in forbidden)
    ]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("learner", ("rpl.tasks", "rpl.controllers", "mujoco", "rpl.catalog", *ABOVE)),
        ("tasks", ("rpl.controllers", "rpl.learner", "rpl.catalog", *ABOVE, *HEAVY_LEARNING)),
        ("show", (*ABOVE, "rpl.learner.update", "rpl.learner.replay", "optax")),
        ("controllers", ("rpl.learner", "rpl.catalog", *ABOVE)),
    ],
)
def test_a_layer_knows_nothing_above_it(folder, forbidden) -> None:
    paths = list((ROOT / folder).rglob("*.py"))
    assert paths
    assert offending(paths, forbidden) == []


def test_reactive_controllers_need_numpy_and_a_layout_only() -> None:
    allowed = ("numpy", "rpl.tasks.layout", "rpl.controllers.gripper")
    standard = ("__future__", "collections.abc", "dataclasses", "typing")
    for name in REACTIVE:
        for module in everywhere(ROOT / "controllers" / f"{name}.py"):
            assert module.startswith((*allowed, *standard)), f"{name} imports {module}"


def test_optional_extras_are_imported_where_they_are_used() -> None:
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        top = imported(node for node in tree.body)
        assert not any(name.split(".")[0] in EXTRAS for name in top), path


def test_listing_the_tasks_loads_no_learner() -> None:
    program = (
        "import sys; from rpl.cli import run; run(['tasks']); "
        "sys.exit(', '.join({'jax', 'matplotlib', 'scipy.stats'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "noisy-hook" in done.stdout
