"""Films and strips of episodes, controller and policy side by side on the same ones."""

from __future__ import annotations

import errno
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
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
MOST_FPS, LEAST_FPS = 30.0, 12.0  # pictures a second: drawing each takes its time
MOST_FRAMES = 300  # pictures of an episode: a longer one is shown faster than it was
STRIP_FRAMES = 6
HOLD_SECONDS = 0.6  # the last frame stands still, so that its verdict can be read
ENCODING = {"codec": "libx264", "pixelformat": "yuv420p", "quality": 8, "macro_block_size": 1}
INK, PAPER = (235, 235, 235), (24, 24, 27)
ACTING = (250, 200, 80)  # the colour of a residual that acts
MARK = 6  # pixels of it above the caption
VERDICTS = {True: ("reached the goal", (90, 210, 120)), False: ("missed the goal", (250, 120, 90))}


@dataclass(frozen=True)
class Recording:
    """One episode in pictures."""

    label: str
    """Who acted, for the caption."""
    frames: list[np.ndarray]
    """Pictures, each (height, width, 3) uint8, from the reset to the last step."""
    success: bool
    """The goal was reached at the last step."""
    earned: float | None = None
    """The return, on tasks that are judged by it."""
    fps: float = 25.0
    """Frames a second that are to be shown."""
    steps: Sequence[int] | None = None
    """At which steps they were drawn; None at each."""
    acted: Sequence[bool] | None = None
    """Whether the residual acted between a frame and the one before; None where there is none."""
    speed: float = 1.0
    """How much faster than the task lives that is."""

    def step_of(self, frame: int) -> int:
        """At which step a frame was drawn."""
        return frame if self.steps is None else self.steps[frame]

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
    shown: Callable[[int], bool] | None = None,
    acted: Callable[[], bool] | None = None,
) -> Recording:
    """Runs one episode and draws of it what a film shows: no more than so many pictures a second,
    and of a long episode in all.

    Args:
        task: a task of one simulation, bare or wrapped, whose ``unwrapped`` is ``Drawable``.
        policy: see ``rpl.controllers.contract.Policy``.
        seed: the episode's; the same seed starts the same episode for any policy.
        horizon: the largest number of steps.
        label: who acts, for the caption.
        size: height and width of a frame, pixels.
        metric: ``"success"`` or ``"return"``, what the caption says of the episode's end.
        shown: which steps to draw besides the first and the last; None goes by the film.
        acted: asked after each step whether the residual had a part in it.

    Raises:
        ValueError: if the task has more than one simulation or cannot be drawn.
        RenderingError: if this machine cannot draw.
    """
    scene = task.unwrapped
    if task.num_envs != 1 or not isinstance(scene, Drawable):
        raise ValueError("a film needs a task with one simulation and a frame() method")
    observation, _ = task.reset(seed=seed)
    policy.reset(np.ones(1, bool))
    lived = float(scene.metadata.get("render_fps") or Recording.fps)
    stride = max(math.ceil(lived / MOST_FPS), math.ceil(horizon / MOST_FRAMES))
    shown = shown or (lambda t: t % stride == 0)
    frames, steps, marks = [scene.frame(0, size)], [0], [False]
    success, earned, acts = False, 0.0, False
    for t in range(1, horizon + 1):
        outcome = task.step(policy(observation, None))
        observation, reward, terminated, truncated, info = outcome
        acts = (acted is not None and acted()) or acts
        over = np.any(terminated) or np.any(truncated) or t == horizon
        if shown(t) or over:
            frames.append(scene.frame(0, size))
            steps.append(t)
            marks.append(acts)
            acts = False
        earned += float(reward[0])
        success = bool(np.asarray(info.get("is_success", info.get("success", False))).all())
        if over:
            break
    fps = min(max(lived / stride, LEAST_FPS), lived)
    verdict = earned if metric == "return" else None
    return Recording(
        label, frames, success, verdict, fps, steps, marks if acted else None, fps * stride / lived
    )


def evenly(count: int, length: int) -> list[int]:
    """``count`` steps of an episode of ``length``, the first and the last among them."""
    return np.linspace(0, length, count).round().astype(int).tolist()


def write_film(
    path: Path, episodes: Sequence[Sequence[Recording]], remark: str | None = None
) -> None:
    """Writes an H.264 film (mp4, yuv420p) of episodes, one after the other, at the task's speed.

    Args:
        path: the film; its folder is made if missing.
        episodes: for each episode the recordings to show side by side; all films of an
            episode last as long as its longest.
        remark: what the episodes stand for, in a line below all pictures.

    Raises:
        ValueError: if there is nothing to show.
    """
    if not episodes or not all(episodes):
        raise ValueError("a film needs at least one recording in each episode")
    with whole_file(path) as beside, warnings.catch_warnings():
        # The encoder is a process of its own; JAX, where it is loaded, warns of every fork.
        warnings.filterwarnings("ignore", message="os.fork")
        pictures: Any = _pictures(episodes, remark)  # written as they are drawn
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


def _pictures(episodes: Sequence[Sequence[Recording]], remark: str | None) -> Iterator[np.ndarray]:
    """The film's pictures, padded to an even height and width, which yuv420p needs."""
    hold = round(HOLD_SECONDS * episodes[0][0].fps)
    for recordings in episodes:
        for t in range(max(len(r.frames) for r in recordings) + hold):
            picture = with_remark(side_by_side(recordings, t), remark)
            height, width = picture.shape[:2]
            yield np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def side_by_side(recordings: Sequence[Recording], t: int) -> np.ndarray:
    """The captioned picture of step ``t``, or of the end where an episode is over by then."""
    return np.asarray(_beside([_captioned(recording, t) for recording in recordings]))


def _captioned(recording: Recording, t: int) -> Image.Image:
    last = len(recording.frames) - 1
    steps, faster = recording.step_of(last), ""
    if recording.speed > 1.0:
        faster = f", {recording.speed:.2g}x speed"
    frame = Image.fromarray(recording.frames[min(t, last)])
    panel = Image.new("RGB", (frame.width, frame.height + BAR), PAPER)
    panel.paste(frame, (0, 0))
    running = f"step {recording.step_of(min(t, last))} of {steps}{faster}", INK
    said = recording.verdict if t >= last else running
    acts = recording.acted is not None and recording.acted[min(t, last)]
    if acts:
        stripe = (0, frame.height, frame.width, frame.height + MARK - 1)
        ImageDraw.Draw(panel).rectangle(stripe, ACTING)
    _write(panel, frame.height, recording.label + (" acts" if acts else ""), said, 17)
    return panel


def with_remark(picture: np.ndarray, remark: str | None) -> np.ndarray:
    """A picture with a line below it, in letters that fit its width."""
    if remark is None:
        return picture
    height, width = picture.shape[:2]
    framed = Image.new("RGB", (width, height + BAR), PAPER)
    framed.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(framed)
    fonts = (ImageFont.load_default(size=size) for size in range(16, 5, -1))
    font = next((f for f in fonts if draw.textlength(remark, f) <= width - 20), None)
    draw.text((width // 2, height + BAR // 2), remark, INK, font, anchor="mm")
    return np.asarray(framed)


def _beside(panels: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one height in a row."""
    width = sum(panel.width + GAP for panel in panels) - GAP
    picture = Image.new("RGB", (width, panels[0].height), PAPER)
    left = 0
    for panel in panels:
        picture.paste(panel, (left, 0))
        left += panel.width + GAP
    return picture


def _write(picture: Image.Image, top: int, label: str, said: tuple[str, Colour], size: int) -> None:
    """Fills the bar that begins at ``top``: who acts on the left, how it goes on the right."""
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=size)
    middle, margin = top + BAR // 2, 10
    draw.text((margin, middle), label, INK, font, anchor="lm")
    draw.text((picture.width - margin, middle), said[0], said[1], font, anchor="rm")


def write_strip(
    path: Path,
    recordings: Sequence[Recording],
    count: int = STRIP_FRAMES,
    remark: str | None = None,
) -> None:
    """Writes a still: a row a recording, of ``count`` evenly spaced frames, the first row on top.

    Args:
        path: the picture (.png).
        recordings: one row each; their frames have one size.
        count: frames a row, the first and the last of the episode among them; at least 2.
        remark: what the episode stands for, in a line below.

    Raises:
        ValueError: if there is nothing to show.
    """
    if not recordings or count < 2:
        raise ValueError("a strip needs at least one recording and two frames a row")
    rows = []
    for recording in recordings:
        chosen = evenly(count, len(recording.frames) - 1)
        frames = _beside([Image.fromarray(recording.frames[t]) for t in chosen])
        row = Image.new("RGB", (frames.width, frames.height + BAR), PAPER)
        row.paste(frames, (0, BAR))
        _write(row, 0, recording.label, recording.verdict, 22)
        rows.append(np.asarray(row))
    with whole_file(path) as beside:
        Image.fromarray(with_remark(np.concatenate(rows), remark)).save(beside)
