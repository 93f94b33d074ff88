"""Films and strips of episodes, controller and policy side by side on the same ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
from gymnasium.vector import VectorEnv
from PIL import Image, ImageDraw, ImageFont

from rpl.controllers.contract import Policy

FRAME_SIZE = (360, 360)  # pixels; even, as H.264 with yuv420p asks for
BAR = 40  # pixels of caption under each frame
GAP = 4  # pixels between neighbours
HOLD_SECONDS = 0.6  # the last frame stands still, so that its verdict can be read
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
    def verdict(self) -> tuple[str, tuple[int, int, int]]:
        """How the episode went, and the colour to say it in."""
        return VERDICTS[self.success] if self.earned is None else (f"return {self.earned:.1f}", INK)


def record(
    task: VectorEnv,
    policy: Policy,
    seed: int,
    horizon: int,
    label: str,
    size: tuple[int, int] = FRAME_SIZE,
    judged_by: str = "success",
) -> Recording:
    """Runs one episode and draws every step of it.

    Args:
        task: a task of one simulation, bare or wrapped, whose ``unwrapped`` has
            ``frame(simulation, size)`` as ``rpl.tasks.GoalTask`` does.
        policy: see ``rpl.controllers.contract.Policy``.
        seed: the episode's; the same seed starts the same episode for any policy.
        horizon: the largest number of steps.
        label: who acts, for the caption.
        size: height and width of a frame, pixels.
        judged_by: ``"success"`` or ``"return"``, what the caption says of the episode's end.

    Raises:
        ValueError: if the task has more than one simulation or cannot be drawn.
        RenderingError: if this machine cannot draw.
    """
    scene = task.unwrapped
    if task.num_envs != 1 or not hasattr(scene, "frame"):
        raise ValueError("a film needs a task with one simulation and a frame() method")
    draw = scene.frame  # type: ignore[attr-defined]
    observation, _ = task.reset(seed=[seed])  # type: ignore[arg-type]
    frames = [draw(0, size)]
    success, earned = False, 0.0
    policy.reset(np.ones(1, bool))
    for _ in range(horizon):
        action = policy(observation, None)
        observation, reward, terminated, truncated, info = task.step(action)
        frames.append(draw(0, size))
        earned += float(reward[0])
        success = bool(np.asarray(info.get("is_success", info.get("success", False))).all())
        if np.any(terminated) or np.any(truncated):
            break
    return Recording(
        label,
        frames,
        success,
        earned if judged_by == "return" else None,
        float(scene.metadata.get("render_fps") or Recording.fps),
    )


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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fps = episodes[0][0].fps
    hold = round(HOLD_SECONDS * fps)
    with (
        warnings.catch_warnings(),
        imageio.get_writer(
            path, fps=fps, codec="libx264", pixelformat="yuv420p", quality=8, macro_block_size=1
        ) as writer,
    ):
        # The encoder is a process of its own; JAX, where it is loaded, warns of every fork.
        warnings.filterwarnings("ignore", message="os.fork")
        for recordings in episodes:
            longest = max(len(r.frames) for r in recordings)
            for t in range(longest + hold):
                writer.append_data(_even(side_by_side(recordings, t)))  # type: ignore[attr-defined]


def side_by_side(recordings: Sequence[Recording], t: int) -> np.ndarray:
    """The captioned picture of step ``t``, or of the end where an episode is over by then."""
    panels = [_captioned(recording, t) for recording in recordings]
    height = panels[0].height
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    picture = Image.new("RGB", (width, height), PAPER)
    left = 0
    for panel in panels:
        picture.paste(panel, (left, 0))
        left += panel.width + GAP
    return np.asarray(picture)


def _captioned(recording: Recording, t: int) -> Image.Image:
    last = len(recording.frames) - 1
    frame = Image.fromarray(recording.frames[min(t, last)])
    panel = Image.new("RGB", (frame.width, frame.height + BAR), PAPER)
    panel.paste(frame, (0, 0))
    draw = ImageDraw.Draw(panel)
    middle, margin = frame.height + BAR // 2, 10
    draw.text((margin, middle), recording.label, INK, _font(17), anchor="lm")
    text, colour = recording.verdict if t >= last else (f"step {t} of {last}", INK)
    draw.text((frame.width - margin, middle), text, colour, _font(17), anchor="rm")
    return panel


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
    height, width = recordings[0].frames[0].shape[:2]
    row_height = height + BAR
    size = (count * width + (count - 1) * GAP, len(recordings) * row_height)
    strip = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(strip)
    for row, recording in enumerate(recordings):
        top = row * row_height
        verdict, colour = recording.verdict
        draw.text((10, top + BAR // 2), recording.label, INK, _font(22), anchor="lm")
        draw.text((size[0] - 10, top + BAR // 2), verdict, colour, _font(22), anchor="rm")
        chosen = np.linspace(0, len(recording.frames) - 1, count).round().astype(int)
        for column, t in enumerate(chosen):
            frame = Image.fromarray(recording.frames[t])
            strip.paste(frame, (column * (width + GAP), top + BAR))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    strip.save(path)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def _even(picture: np.ndarray) -> np.ndarray:
    """Padded to an even height and width, which yuv420p needs."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
