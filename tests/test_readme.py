"""Every command and every line of Python in the README runs, for a few hundred steps."""

import re
import shlex
from pathlib import Path

import pytest

from rpl.cli.main import run
from small import SHOWN

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_readme_commands_run(workplace, capfd):
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("rpl ")]
    assert {words[1] for words in commands} >= {"tasks", "train", "eval", "watch", "plot"}
    (workplace / "my_robot.py").write_text("def controller(observation):\n    return [0.0]\n")
    for words in commands:
        code = run([*words[1:], *SHOWN.get(words[1], ())])
        error = capfd.readouterr().err
        if "no picture can be drawn here" in error:
            pytest.skip("no OpenGL on this machine")
        assert code == 0, f"{shlex.join(words)}: {error}"
    assert (workplace / "film.mp4").exists()


def test_readme_python_runs(workplace):
    (improving,) = blocks("python")
    improving = improving.replace("100_000", "400")
    exec(compile(improving, "README.md", "exec"), {"__name__": "__main__"})
    assert (workplace / "runs/improved/checkpoint/best.eqx").exists()


def test_makefile_has_the_readme_targets():
    makefile = (README.parent / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("console")), flags=re.MULTILINE)
    assert targets == ["train", "test"]
    assert all(f"\n{target}:" in makefile for target in targets)
