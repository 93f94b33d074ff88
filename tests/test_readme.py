"""Every command and every line of Python in the README runs, for a few hundred steps."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
SMALL = {
    "train": "--steps 400 --episodes-per-cycle 2 --evaluation-episodes 2 "
    "--final-evaluation-episodes 2 --replay.capacity 1000",
    "eval": "--episodes 2",
    "watch": "--episodes 1 --no-contrast",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_readme_commands_run(tmp_path):
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("rpl ")]
    assert {words[1] for words in commands} >= {"tasks", "train", "eval", "watch", "plot"}
    (tmp_path / "my_robot.py").write_text("def controller(observation):\n    return [0.0]\n")
    for words in commands:
        small = SMALL.get(words[1], "").split()
        program = [sys.executable, "-c", "from rpl.cli.main import main; main()"]
        done = subprocess.run(
            [*program, *words[1:], *small], cwd=tmp_path, capture_output=True, text=True
        )
        if "no picture can be drawn here" in done.stderr:
            pytest.skip("no OpenGL on this machine")
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
    assert (tmp_path / "film.mp4").exists()


def test_readme_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (improving,) = blocks("python")
    improving = improving.replace("100_000", "400")
    exec(compile(improving, "README.md", "exec"), {"__name__": "__main__"})
    assert (tmp_path / "runs/improved/checkpoint/best.eqx").exists()


def test_makefile_has_the_readme_targets():
    makefile = (README.parent / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("console")), flags=re.MULTILINE)
    assert targets == ["train", "test"]
    assert all(f"\n{target}:" in makefile for target in targets)
