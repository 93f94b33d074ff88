"""What import-linter's contracts cannot say: when a module is imported."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import rpl

ROOT = Path(rpl.__file__).parent
EXTRAS = ("torch", "onnx", "onnxruntime", "ray", "stable_baselines3", "envpool", "optuna")
TRACKERS = ("wandb", "mlflow")
"""Extras with a module of their own, which is imported where the extra is."""


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


def test_optional_extras_are_imported_where_they_are_used() -> None:
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        top = imported(node for node in tree.body)
        assert not any(name.split(".")[0] in EXTRAS for name in top), path
        trackers = {name.split(".")[0] for name in top} & set(TRACKERS)
        assert all(path.name == f"{name}_tracker.py" for name in trackers), path


def test_listing_the_tasks_loads_no_learner() -> None:
    program = (
        "import sys; from rpl.cli.main import run; run(['tasks']); "
        "sys.exit(', '.join({'jax', 'matplotlib', 'scipy.stats'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "noisy-hook" in done.stdout


BLOCKED = """
import sys
for name in ("mujoco", "mujoco.batch", "gymnasium_robotics"):
    sys.modules[name] = None
import rpl
from rpl.cli.main import run
from small import USER_RUN

def done(*words, code=0):
    assert run(list(words)) == code, words

user = "toys:Slide", "--controller", "toys:Summing"
done("tasks")
done("check", *user)
done("train", *user, "--out", "run", *USER_RUN, "--replay.capacity", "500")
done("eval", "run", "--episodes", "2")
done("watch", "run", "--episodes", "1", "--video", "film.mp4")
done("export", "run", "policy.onnx")
done("plot", "run", "--out", "curve.png")
done("report", "run", "--films", "0")
assert rpl.load("run")([0.5, 0.0]).shape == (1,)
done("train", "push", "--steps", "100", code=1)
done("objects", code=1)
run(["--help"])
"""


def test_everything_about_user_environments_works_without_mujoco(workplace) -> None:
    places = [*map(str, (ROOT.parent, Path(__file__).parent)), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    words = [sys.executable, "-c", BLOCKED]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "improve a controller with deep RL" in done.stdout  # of --help, which ends the process
    sentence = "rpl: the paper's tasks need mujoco >= 3.17 and gymnasium-robotics, and there is"
    assert done.stderr.count(sentence) == 2


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    [
        ("imports point downwards", "learner/ddpg.py", "from rpl.training import loop"),
        ("no learner's libraries", "tasks/layout.py", "import jax"),
        ("has a circle", "rollout/collect.py", "def f():\n    from rpl.rollout import evaluate"),
    ],
    ids=["upwards", "heavy", "circle in a function"],
)
def test_a_contract_breaks_where_an_import_breaks_it(contract, file, line, tmp_path) -> None:
    shutil.copytree(ROOT, tmp_path / "rpl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT.parents[1] / "pyproject.toml", tmp_path)
    with open(tmp_path / "rpl" / file, "a") as source:
        source.write(f"\n{line}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout
