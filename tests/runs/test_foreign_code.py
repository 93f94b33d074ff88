"""Whoever opens somebody else's run is told whose code runs, before it does; or none runs."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rpl
from rpl.cli.main import run
from rpl.registry import names
from rpl.runs import provenance
from small import USER_RUN

THEIRS = """
import sys
print("their code runs", file=sys.stderr)
from toys import Slide, one
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a run, and the module that it names."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "theirs.py").write_text(THEIRS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        words = ["train", "theirs:Slide", "--controller", "theirs:one", *USER_RUN, "--out", "run"]
        assert run(words) == 0
    return folder


@pytest.fixture(autouse=True)
def place(trained, workplace) -> Iterator[Path]:
    """Where one is: the run and the module, of which nothing is known yet."""
    shutil.copytree(trained, workplace, dirs_exist_ok=True)
    sys.modules.pop("theirs", None)
    provenance._say_once.cache_clear()
    yield workplace
    sys.modules.pop("theirs", None)  # others call theirs so too


OPENING = {
    "eval": ["eval", "run", "--episodes", "2"],
    "watch": ["watch", "run", "--episodes", "1", "--no-contrast", "--strip", "strip.png"],
    "export": ["export", "run", "policy.onnx"],
    "cache": ["cache", "run", "cache.npz", "--states", "20"],
    "report": ["report", "run", "--films", "1", "--out", "page.html"],
}


@pytest.mark.parametrize("name", OPENING)
def test_a_note_comes_before_the_code_of_a_run(name, place, capfd) -> None:
    run(OPENING[name])
    note, code = f"note: run names theirs:Slide, and so runs the code of {place}/theirs.py", "their"
    said = capfd.readouterr().err
    assert 0 <= said.find(note) < said.find(f"\n{code} code runs")
    assert said.count("note: run names theirs:Slide") == 1
    assert "open no run of people whom you do not trust" in said


def test_a_note_comes_before_the_code_of_a_run_in_python(place, capfd) -> None:
    rpl.load("run")
    said = capfd.readouterr().err
    assert 0 <= said.find("note: run names theirs:Slide") < said.find("\ntheir code runs")


@pytest.mark.parametrize(
    "words",
    [["plot", "run", "--out", "curves.png"], ["report", "run", "--films", "0", "--out", "x.html"]],
    ids=lambda words: words[0],
)
def test_plots_and_reports_without_films_run_none_of_it(words, place, capfd) -> None:
    assert run(words) == 0
    assert Path(words[-1]).exists()
    assert capfd.readouterr().err == ""
    assert "theirs" not in sys.modules


def test_a_module_that_is_installed_is_not_worth_a_note(capfd) -> None:
    assert names.code_behind("gymnasium.envs.classic_control:PendulumEnv") is None
    assert names.code_behind("rpl.tasks:PushEnv") is None
    assert names.code_behind("push") is None
