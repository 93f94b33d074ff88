"""Films and strips of episodes, controller and policy side by side on the same ones."""

import errno
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import imageio.v3 as imageio
import numpy as np
from gymnasium.vector import VectorEnv
from PIL import Image, ImageDraw, ImageFont

from rpl.controllers.contract import Policy
from rpl.errors import whole_file

Colour = tuple[int, int, int]
FRAME_SIZE = (360, 360)  # pixels; even, as H.264 with yuv420p asks for
BAR = 40  # pixels of caption under each frame
GAP = 4  # pixels between neighbours
HOLD_SECONDS = 0.6  # the last frame stands still, so that its verdict can be read
ENCODING = {"codec": "libx264", "pixelformat": "yuv420p", "quality": 8, "macro_block_size": 1}
INK, PAPER = (235, 235, 235), (24, 24, 27)
VERDICTS = {True: ("reached the goal", (90, 210, 120)), False: ("missed the goal", (250, 120, 90))}


@dataclass(frozen=True)
class Recording:
    """One episode in pictures."""

    label: str
    """Who acted, for the caption."""
    frames: list[np.ndarray]
    """T + 1 pictures, each (height, width, 3) uint8, from the reset to the last step."""
    success: bool
    """The goal was reached at the last step."""
    earned: float | None = None
    """The return, on tasks that are judged by it."""
    fps: float = 25.0
    """Frames a second that the task lives at."""

    @property
    def verdict(self) -> tuple[str, Colour]:
        """How the episode went, and the colour to say it in."""
        return VERDICTS[self.success] if self.earned is None else (f"return {self.earned:.1f}", INK)


@runtime_checkable
class Drawable(Protocol):
    """A task whose simulations can be drawn."""

    def frame(self, simulation: int, size: tuple[int, int]) -> np.ndarray:
        """A picture, (height, width, 3) uint8."""
        ...


def record(
    task: VectorEnv,
    policy: Policy,
    seed: int,
    horizon: int,
    label: str,
    size: tuple[int, int] = FRAME_SIZE,
    metric: str = "success",
) -> Recording:
    """Runs one episode and draws every step of it.

    Args:
        task: a task of one simulation, bare or wrapped, whose ``unwrapped`` is ``Drawable``.
        policy: see ``rpl.controllers.contract.Policy``.
        seed: the episode's; the same seed starts the same episode for any policy.
        horizon: the largest number of steps.
        label: who acts, for the caption.
        size: height and width of a frame, pixels.
        metric: ``"success"`` or ``"return"``, what the caption says of the episode's end.

    Raises:
        ValueError: if the task has more than one simulation or cannot be drawn.
        RenderingError: if this machine cannot draw.
    """
    scene = task.unwrapped
    if task.num_envs != 1 or not isinstance(scene, Drawable):
        raise ValueError("a film needs a task with one simulation and a frame() method")
    observation, _ = task.reset(seed=seed)
    policy.reset(np.ones(1, bool))
    frames, success, earned = [scene.frame(0, size)], False, 0.0
    for _ in range(horizon):
        outcome = task.step(policy(observation, None))
        observation, reward, terminated, truncated, info = outcome
        frames.append(scene.frame(0, size))
        earned += float(reward[0])
        success = bool(np.asarray(info.get("is_success", info.get("success", False))).all())
        if np.any(terminated) or np.any(truncated):
            break
    fps = float(task.unwrapped.metadata.get("render_fps") or Recording.fps)
    return Recording(label, frames, success, earned if metric == "return" else None, fps)


def write_film(path: Path, episodes: Sequence[Sequence[Recording]]) -> None:
    """Writes an H.264 film (mp4, yuv420p) of episodes, one after the other, at the task's speed.

    Args:
        path: the film; its folder is made if missing.
        episodes: for each episode the recordings to show side by side; all films of an
            episode last as long as its longest.

    Raises:
        ValueError: if there is nothing to show.
    """
    if not episodes or not all(episodes):
        raise ValueError("a film needs at least one recording in each episode")
    with whole_file(path) as beside, warnings.catch_warnings():
        # The encoder is a process of its own; JAX, where it is loaded, warns of every fork.
        warnings.filterwarnings("ignore", message="os.fork")
        pictures: Any = _pictures(episodes)  # written as they are drawn
        fps = episodes[0][0].fps
        imageio.imwrite(beside, pictures, plugin="FFMPEG", is_batch=True, fps=fps, **ENCODING)
        _check_whole(beside)


def _check_whole(path: Path) -> None:
    """The encoder does not say that it had no room: a film that it broke off has no index.

    Raises:
        OSError: if that is so.
    """
    try:
        imageio.immeta(path, plugin="FFMPEG")
    except Exception as error:
        raise OSError(errno.ENOSPC, "the film was broken off, the disk may be full") from error


def _pictures(episodes: Sequence[Sequence[Recording]]) -> Iterator[np.ndarray]:
    """The film's pictures, padded to an even height and width, which yuv420p needs."""
    hold = round(HOLD_SECONDS * episodes[0][0].fps)
    for recordings in episodes:
        for t in range(max(len(r.frames) for r in recordings) + hold):
            picture = side_by_side(recordings, t)
            height, width = picture.shape[:2]
            yield np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def side_by_side(recordings: Sequence[Recording], t: int) -> np.ndarray:
    """The captioned picture of step ``t``, or of the end where an episode is over by then."""
    return _beside([_captioned(recording, t) for recording in recordings])


def _captioned(recording: Recording, t: int) -> np.ndarray:
    last = len(recording.frames) - 1
    frame = recording.frames[min(t, last)]
    said = recording.verdict if t >= last else (f"step {t} of {last}", INK)
    return np.concatenate([frame, _bar(frame.shape[1], recording.label, said, 17)])


def _beside(panels: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one height in a row."""
    gap = np.full((len(panels[0]), GAP, 3), PAPER, np.uint8)
    return np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)


def _bar(width: int, label: str, said: tuple[str, Colour], size: int) -> np.ndarray:
    """A bar of caption: who acts on the left, how it goes on the right."""
    bar, font = Image.new("RGB", (width, BAR), PAPER), ImageFont.load_default(size=size)
    draw, margin = ImageDraw.Draw(bar), 10
    draw.text((margin, BAR // 2), label, INK, font, anchor="lm")
    draw.text((width - margin, BAR // 2), said[0], said[1], font, anchor="rm")
    return np.asarray(bar)


def write_strip(path: Path, recordings: Sequence[Recording], count: int = 6) -> None:
    """Writes a still: a row a recording, of ``count`` evenly spaced frames, the first row on top.

    Args:
        path: the picture (.png).
        recordings: one row each; their frames have one size.
        count: frames a row, the first and the last of the episode among them; at least 2.

    Raises:
        ValueError: if there is nothing to show.
    """
    if not recordings or count < 2:
        raise ValueError("a strip needs at least one recording and two frames a row")
    rows = []
    for recording in recordings:
        chosen = np.linspace(0, len(recording.frames) - 1, count).round().astype(int)
        frames = _beside([recording.frames[t] for t in chosen])
        rows += [_bar(frames.shape[1], recording.label, recording.verdict, 22), frames]
    with whole_file(path) as beside:
        Image.fromarray(np.concatenate(rows)).save(beside)
