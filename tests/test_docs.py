"""Every block of code in the documentation runs, for a few hundred steps."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpl.cli.main import run
from small import SHOWN

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
ELSEWHERE = ("make", "pip", "python3", ".venv/bin/pip", "source")  # the tests themselves need these
FOR_LONG = (  # their own tests run them small
    ["paper", "run"],
    ["paper", "plot"],
    ["train", "mbrl-pusher"],
    ["cache", "runs/mbrl-pusher-pets-seed0"],
    ["plot", "runs/mbrl-pusher-*"],
)


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text())


def lines_of(code: str) -> Iterator[list[str]]:
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_a_page_runs_in_order(page, workplace, capfd) -> None:
    (workplace / "examples").symlink_to(ROOT / "examples")
    write_meshes(workplace / "my-meshes")
    names: dict = {}
    for language, code in blocks(page):
        if language == "python":
            exec(compile(code, page.name, "exec"), names)
        elif language == "console":
            for words in lines_of(code):
                run_line(words, capfd)
        else:
            assert language == "text", f"{page.name} has a block in '{language}'"


def write_meshes(folder: Path) -> None:
    """The user's objects that a page speaks of: five tetrahedra."""
    folder.mkdir()
    corners = "v 0 0 0\nv .08 0 0\nv 0 .08 0\nv 0 0 {}\n"
    for i in range(5):
        text = corners.format(0.05 + 0.01 * i) + "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n"
        (folder / f"wedge{i}.obj").write_text(text)


def run_line(words: list[str], capfd) -> None:
    if words[0] == "python":
        assert Path(words[1]).exists(), words[1]  # examples have tests of their own
    elif words[0] == "rpl" and not any(words[1:][: len(long)] == long for long in FOR_LONG):
        code = run([*words[1:], *SHOWN.get(words[1], ())])
        error = capfd.readouterr().err
        if "no picture can be drawn here" in error:
            return
        assert code == 0, f"{shlex.join(words)}: {error}"
    else:
        assert words[0] in (*ELSEWHERE, "rpl"), words


def test_every_page_can_be_found_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert [name for name in map(name_of, PAGES) if f": {name}\n" not in navigation] == []


def test_the_manual_stays_short_and_so_does_the_readme() -> None:
    manual = [page for page in PAGES if page.parent == DOCS]
    assert sum(len(page.read_text().split()) for page in manual) <= 8000
    assert len((ROOT / "README.md").read_text().split()) <= 600
