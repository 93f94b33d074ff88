"""The examples' controllers keep the contract, and their commands are the ones that are run."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from rpl.check import check
from rpl.registry.names import environment_maker

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


def test_the_examples_import_nothing_heavy_before_they_run(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    for name in EXAMPLES:
        sys.modules.pop(f"examples.{name}", None)
        module = importlib.import_module(f"examples.{name}")
        assert "rpl" not in vars(module)
