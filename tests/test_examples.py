"""The examples' controllers keep the contract, and their commands are the ones that are run."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from rpl.check import check
from rpl.registry.environments import environment_maker

ROOT = Path(__file__).parent.parent
EXAMPLES = {
    "pendulum": ("Pendulum-v1", None),
    "lunar_lander": ("examples.lunar_lander:make_env", "Box2D"),
    "point_maze": ("gymnasium_robotics:PointMaze_UMaze-v3", None),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_environment_and_controller_of_an_example_pass_the_check(name, monkeypatch) -> None:
    environment, needs = EXAMPLES[name]
    if needs:
        pytest.importorskip(needs)
    monkeypatch.syspath_prepend(str(ROOT))
    text = (ROOT / "examples" / f"{name}.py").read_text()
    controller_name = re.search(r"--controller (\S+)", text).group(1)
    module, _, attribute = controller_name.partition(":")
    controller = getattr(importlib.import_module(module), attribute)
    findings = check(environment_maker(environment), controller)
    assert [finding.sentence for finding in findings if finding.severity == "error"] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_command_of_an_example_names_its_environment(name) -> None:
    text = (ROOT / "examples" / f"{name}.py").read_text()
    command = " ".join(text.replace("\\", " ").split())
    assert f"rpl train {EXAMPLES[name][0]} --controller" in command


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_imports_nothing_heavy_before_it_runs(name) -> None:
    tree = ast.parse((ROOT / "examples" / f"{name}.py").read_text())
    imported = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= {"numpy", "gymnasium", "math", "__future__"}
