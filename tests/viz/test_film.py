"""Films show whole episodes, side by side, with a verdict."""

from __future__ import annotations

from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from acting import Scripted
from rpl.tasks import FetchTask
from rpl.tasks.rendering import RenderingError
from rpl.viz.film import ACTING, BAR, GAP, Recording, record, side_by_side, write_film, write_strip


def recording(label: str, colour: int, steps: int = 5, success: bool = True) -> Recording:
    """Frames that brighten with time in one colour channel."""
    frames = []
    for t in range(steps + 1):
        frame = np.zeros((60, 120, 3), np.uint8)
        frame[..., colour] = 40 * t
        frames.append(frame)
    return Recording(label, frames, success, fps=10.0)


def test_a_film_holds_every_step_of_every_episode_and_then_stands_still(tmp_path: Path) -> None:
    first = (recording("controller", 0), recording("residual policy", 1))
    second = (recording("controller", 0, steps=3), recording("residual policy", 1))
    path = tmp_path / "new" / "film.mp4"
    write_film(path, [first, second])
    with imageio.get_reader(path) as reader:
        frames = list(reader.iter_data())
        width, height = reader.get_meta_data()["size"]
    assert len(frames) == 2 * (6 + 6)  # six frames each, and 0.6 s at the end of each
    assert (width, height) == (2 * 120 + GAP, 60 + BAR)
    assert b"avc1" in path.read_bytes()
    left, right = frames[4][10, 60], frames[4][10, 180]  # step 4: 160 of red, 160 of green
    assert left[0] > 120 > 60 > left[1]
    assert right[1] > 120 > 60 > right[0]


def test_odd_sizes_are_padded_rather_than_refused(tmp_path: Path) -> None:
    odd = Recording("x", [np.zeros((61, 121, 3), np.uint8)] * 2, True)
    write_film(tmp_path / "odd.mp4", [[odd]])
    with imageio.get_reader(tmp_path / "odd.mp4") as reader:
        assert reader.get_meta_data()["size"] == (122, 60 + 2 + BAR)


def test_an_episode_that_ended_earlier_waits_with_its_verdict() -> None:
    short, long = recording("a", 0, steps=2, success=False), recording("b", 1, steps=5)
    picture = side_by_side([short, long], 5)
    assert picture[10, 60].tolist() == [80, 0, 0]
    assert picture[10, 180].tolist() == [0, 200, 0]
    caption, running = picture[60:, :120], side_by_side([short, long], 1)[60:, :120]
    reddest = (caption[..., 0].astype(int) - caption[..., 2]).max()
    assert reddest > 100  # "missed the goal" is written in red, "step 1 of 2" is not
    assert (running[..., 0].astype(int) - running[..., 2]).max() < 20


def test_a_strip_begins_with_the_first_frame_and_ends_with_the_last(tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    write_strip(path, [recording("controller", 0), recording("residual policy", 1)], count=3)
    strip = np.asarray(Image.open(path))
    assert strip.shape == (2 * (60 + BAR), 3 * 120 + 2 * GAP, 3)
    columns = [60, 60 + 120 + GAP, 60 + 2 * (120 + GAP)]
    assert strip[BAR + 30, columns, 0].tolist() == [0, 80, 200]  # steps 0, 2, 5
    assert strip[60 + 2 * BAR + 30, columns, 1].tolist() == [0, 80, 200]


def test_nothing_to_show_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one recording"):
        write_film(tmp_path / "x.mp4", [])
    with pytest.raises(ValueError, match="at least one recording"):
        write_strip(tmp_path / "x.png", [])


class Still(FetchTask):
    """Draws its goal and its step instead of a scene, where no GL is needed."""

    def frame(self, simulation: int = 0, size: tuple[int, int] = (480, 480)) -> np.ndarray:
        return np.full((*size, 3), int(self._episode_step[simulation]), np.uint8)


def test_the_caption_marks_where_the_residual_acts() -> None:
    frames = [np.zeros((60, 240, 3), np.uint8)] * 3
    marked = Recording("policy", frames, True, acted=[False, True, False])
    plain = Recording("policy", frames, True)
    pictures = [side_by_side([marked], t) for t in range(3)]
    assert pictures[1][61, 120].tolist() == list(ACTING)
    for t in (0, 2):
        np.testing.assert_array_equal(pictures[t], side_by_side([plain], t))
    assert (pictures[1] != side_by_side([plain], 1)).any()


def test_recording_asks_after_each_step_whether_the_residual_acted() -> None:
    task, asked = Quick(1, num_threads=1, max_episode_steps=12), []

    def acted() -> bool:
        asked.append(len(asked) + 1)
        return asked[-1] == 6  # between two frames, of which every fourth is drawn

    policy = Scripted(lambda *_: np.zeros((1, 4)))
    film = record(task, policy, 0, 12, "x", size=(8, 8), acted=acted)
    assert film.steps == [0, 4, 8, 12]
    assert film.acted == [False, False, True, False]
    assert asked == list(range(1, 13))
    assert record(task, policy, 0, 12, "x", size=(8, 8)).acted is None


def test_recording_draws_the_reset_and_each_step_of_the_same_episode() -> None:
    task, seen = Still(1, num_threads=1), []

    def still(observation: dict, episodes: np.ndarray, step: int) -> np.ndarray:
        seen.append((step, observation["desired_goal"].copy(), int(episodes[0])))
        return np.zeros((1, 4))

    policy = Scripted(still)
    films = [record(task, policy, 7, 50, "x", size=(8, 8)) for _ in range(2)]
    assert [int(f[0, 0, 0]) for f in films[0].frames] == list(range(51))
    assert films[0].fps == task.metadata["render_fps"]
    assert [step for step, _, _ in seen] == 2 * list(range(50))
    assert [episode for _, _, episode in seen] == [0] * 50 + [1] * 50  # it is told of both
    np.testing.assert_array_equal(seen[0][1], seen[50][1])
    assert not films[0].success  # doing nothing leaves the object where it was


class Quick(Still):
    """Lives faster than anybody can see."""

    metadata = {**FetchTask.metadata, "render_fps": 100}  # noqa: RUF012


@pytest.mark.parametrize(
    ("horizon", "stride", "fps", "speed"), [(50, 4, 25.0, 1.0), (2000, 7, 100 / 7, 1.0)]
)
def test_no_more_is_drawn_than_is_shown(horizon, stride, fps, speed) -> None:
    task = Quick(1, num_threads=1, max_episode_steps=50)
    film = record(task, Scripted(lambda *_: np.zeros((1, 4))), 0, horizon, "x", size=(8, 8))
    assert film.steps == [*range(0, 50, stride), 50]
    assert [int(frame[0, 0, 0]) for frame in film.frames] == film.steps
    assert (film.fps, film.speed) == pytest.approx((fps, speed))


def test_a_long_episode_is_shown_faster_and_says_so() -> None:
    task = Still(1, num_threads=1, max_episode_steps=20)
    film = record(task, Scripted(lambda *_: np.zeros((1, 4))), 0, 3000, "x", size=(64, 400))
    lived = task.metadata["render_fps"]
    assert film.steps == [0, 10, 20]
    assert film.fps == 12.0
    assert film.speed == pytest.approx(12.0 * 10 / lived)


def test_what_the_episodes_stand_for_is_in_the_picture(tmp_path) -> None:
    episode = recording("controller", 0), recording("residual policy", 1)
    remark = "of 100 episodes the policy earns more in 60, less in 30"
    write_film(tmp_path / "film.mp4", [episode], remark)
    with imageio.get_reader(tmp_path / "film.mp4") as reader:
        assert reader.get_meta_data()["size"] == (2 * 120 + GAP, 60 + 2 * BAR)
        below = np.asarray(reader.get_data(0))[60 + BAR :]
    assert below.max() > 150 > 60 > np.median(below)
    write_strip(tmp_path / "strip.png", episode, 3, remark)
    strip = np.asarray(Image.open(tmp_path / "strip.png"))
    assert strip.shape[0] == 2 * (60 + BAR) + BAR
    assert strip[-BAR:].max() > 150


def test_the_goal_reached_at_the_last_step_counts_as_success() -> None:
    task = Still(1, num_threads=1, max_episode_steps=2)
    task.success_distance = 10.0
    assert record(task, Scripted(lambda *_: np.zeros((1, 4))), 0, 50, "x", size=(8, 8)).success


def test_a_task_with_several_simulations_is_refused() -> None:
    with pytest.raises(ValueError, match="one simulation"):
        record(FetchTask(2, num_threads=1), Scripted(lambda *_: np.zeros((2, 4))), 0, 5, "x")


def test_a_machine_that_cannot_draw_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no GL here")

    monkeypatch.setattr("mujoco.Renderer", broken)
    with pytest.raises(RenderingError, match="no picture can be drawn"):
        record(FetchTask(1, num_threads=1), Scripted(lambda *_: np.zeros((1, 4))), 0, 5, "x")
