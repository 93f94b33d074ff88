"""A full disk, and paths with brackets: what was there stays, and one sentence says where."""

import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

import toys
from rpl.cli.main import run
from small import USER_RUN, metrics

TRAIN = ("train", "toys:Slide", "--controller", "toys:one", *USER_RUN)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert run([*TRAIN, "--out", str(folder)]) == 0
    return folder


@contextmanager
def no_file_larger_than(size: int):
    """As on a full disk: to write more fails, in this process and in its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


OUTPUTS = {
    "plot": (["plot", "RUN", "--out"], "curves.png"),
    "report": (["report", "RUN", "--films", "0", "--out"], "report.html"),
    "export": (["export", "RUN"], "policy.onnx"),
    "cache": (["cache", "RUN", "--states", "300"], "cache.npz"),
    "film": (["watch", "RUN", "--episodes", "1", "--no-contrast", "--video"], "film.mp4"),
    "strip": (["watch", "RUN", "--episodes", "1", "--no-contrast", "--strip"], "strip.png"),
}


def words_of(name: str, trained: Path, out: Path) -> list[str]:
    words = [str(trained) if word == "RUN" else word for word in OUTPUTS[name][0]]
    if name == "cache":
        return [*words[:2], str(out), *words[2:]]
    return [*words, str(out)]


@pytest.mark.parametrize("name", OUTPUTS)
def test_on_a_full_disk_the_older_file_stays_and_a_sentence_says_where(
    name, trained, tmp_path, capfd, monkeypatch
) -> None:
    monkeypatch.setattr(toys.Slide, "render", lambda self: toys.np.full((64, 64, 3), 9, "uint8"))
    out = tmp_path / OUTPUTS[name][1]
    out.write_bytes(b"good")
    capfd.readouterr()
    with no_file_larger_than(500):
        assert run(words_of(name, trained, out)) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert f"cannot write to {out}" in said
    assert "choose another place" in said
    assert out.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("size", [300, 1_000, 3_000, 6_000, 20_000, 100_000])
def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(
    size, trained, tmp_path, capfd
) -> None:
    words = [*TRAIN, "--out", str(tmp_path / "run")]
    with no_file_larger_than(size):
        code = run(words)
    said = capfd.readouterr().err.splitlines()
    if code:
        assert len(said) == 1
        assert f"{tmp_path / 'run'}" in said[0]
        assert "free some space" in said[0]
    resume = ["--resume"] if (tmp_path / "run/config.json").exists() and code else []
    if code:
        assert run([*words, *resume]) == 0
    assert metrics(tmp_path / "run") == metrics(trained)


@pytest.mark.parametrize("name", [*OUTPUTS, "train"])
def test_brackets_dollars_and_colons_in_a_path_are_only_its_letters(
    name, trained, tmp_path, capfd
) -> None:
    odd = tmp_path / "a[/]b[bold]:smile:$x^$"
    odd.mkdir(parents=True)
    shutil.copytree(trained, odd / "run")
    if name == "train":
        out, words = odd / "run", [*TRAIN, "--out", str(odd / "run"), "--resume"]
    else:
        out = odd / OUTPUTS[name][1]
        words = words_of(name, odd / "run", out)
    assert run(words) == 0
    assert str(out) in capfd.readouterr().out
