"""Commands about objects: the list, training on a user's own, evaluation by kind of object."""

import json
from dataclasses import replace
from types import SimpleNamespace

import imageio.v3
import numpy as np
import pytest

from rpl.cli.by_object import category_counts, splits_to_judge
from rpl.cli.main import run
from rpl.rollout.evaluate import Outcome
from rpl.tasks import COMPLEX_HOOK
from rpl.viz.by_object import success_by_category
from small import RUN
from tools.objects.solids import box, cylinder

TRAIN = (*RUN, "--steps", "400", "--burn-in.minimum-steps", "0", "--num-threads", "1")


@pytest.fixture
def folder(tmp_path):
    """Six bricks and cans as OBJ files."""
    path = tmp_path / "meshes"
    path.mkdir()
    for i in range(6):
        mesh = box(1 + i, 2, 3) if i % 2 else cylinder(1 + i, 2)
        lines = [f"v {x} {y} {z}" for x, y, z in mesh.vertices]
        lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
        (path / f"{'brick' if i % 2 else 'can'}-{i}.obj").write_text("\n".join(lines))
    return str(path)


def test_the_list_has_every_kind_and_the_picture_every_object(capfd, tmp_path, folder) -> None:
    assert run(["objects"]) == 0
    printed = capfd.readouterr().out
    assert "teddy-bear" in printed
    assert "100 objects for training, 28 held out" in printed
    picture = tmp_path / "new" / "objects.png"
    assert run(["objects", folder, "--picture", str(picture)]) == 0
    assert "5 objects for training, 1 held out" in capfd.readouterr().out
    assert imageio.v3.imread(picture).shape[:2] == (148, 16 * 128)


def test_a_folder_that_is_not_there_earns_one_sentence(capfd) -> None:
    assert run(["objects", "nowhere"]) == 1
    assert capfd.readouterr().err.startswith("rpl: there is no folder nowhere")


def test_a_policy_learns_on_a_users_objects_and_is_judged_on_them(capfd, tmp_path, folder) -> None:
    out, picture = str(tmp_path / "run"), tmp_path / "bars.png"
    assert run(["train", "complex-hook", "--task.objects", folder, "--out", out, *TRAIN]) == 0
    capfd.readouterr()
    # The run's objects hold although another option of the task is given.
    words = ["--task.physics", "lean", "--episodes", "3", "--picture", str(picture), "--json"]
    assert run(["eval", out, *words]) == 0
    report = json.loads(capfd.readouterr().out)
    assert set(report["splits"]) == {"training", "held-out"}
    assert report["policy"] == report["splits"]["training"]["policy"]
    for part in report["splits"].values():
        assert set(part["categories"]) <= {"brick", "can"}
        for who in ("controller", "policy"):
            successes = sum(counts[who] for counts in part["categories"].values())
            assert successes == pytest.approx(3 * part[who]["success_rate"])
        assert sum(counts["episodes"] for counts in part["categories"].values()) == 3
    assert picture.exists()
    assert run(["eval", out, "--task.split", "held-out", "--episodes", "2"]) == 0
    printed = capfd.readouterr().out
    assert "held-out objects" in printed
    assert "training objects" not in printed


def test_successes_are_counted_by_kind() -> None:
    objects = [SimpleNamespace(category=c) for c in ("mug", "bowl", "mug", "mug")]
    controller = Outcome(np.array([1, 0, 0, 1], bool), np.zeros(4))
    policy = Outcome(np.array([1, 1, 0, 1], bool), np.zeros(4))
    counts = category_counts(objects, {"controller": controller, "policy": policy}, {"mug"})  # type: ignore[arg-type]
    assert counts == {
        "bowl": {"episodes": 1, "trained": False, "controller": 0, "policy": 1},
        "mug": {"episodes": 3, "trained": True, "controller": 2, "policy": 2},
    }
    alone = category_counts(objects, {"controller": controller, "policy": None}, {"mug"})  # type: ignore[arg-type]
    assert "policy" not in alone["mug"]


def test_both_splits_are_judged_unless_one_is_asked_for() -> None:
    assert splits_to_judge(COMPLEX_HOOK) == ("training", "held-out")
    assert splits_to_judge(replace(COMPLEX_HOOK, split="all")) == ("all",)


def test_bars_are_as_long_as_the_success(tmp_path) -> None:
    def picture(successes: int) -> np.ndarray:
        counts = {"episodes": 4, "trained": True, "controller": 1, "policy": successes}
        outcome = {"success_rate": 0.5}
        split = {"controller": outcome, "policy": outcome, "categories": {"mug": counts}}
        path = tmp_path / f"{successes}.png"
        success_by_category({"training": split}, path)
        return imageio.v3.imread(path)[..., :3].astype(int)

    def blue(pixels: np.ndarray) -> int:
        return int(((pixels[..., 2] > 150) & (pixels[..., 0] < 50)).sum())

    none, half, all_of_them = (blue(picture(n)) for n in (0, 2, 4))
    assert half - none > 5000
    assert all_of_them - none == pytest.approx(2 * (half - none), rel=0.05)


def test_a_picture_of_kinds_needs_kinds(capfd) -> None:
    assert run(["eval", "push", "--episodes", "1", "--picture", "x.png"]) == 2
    assert "has one object only" in capfd.readouterr().err
