"""A policy stored as an ONNX file, as a controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rpl.controllers.contract import ControllerError
from rpl.observations import DESIRED_GOAL, OBSERVATION, Observation

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxPolicy:
    """Runs an ONNX file on a batch of observations; its first output is the action.

    An input that has the name of a part of the observation gets that part. A single input
    of another name gets the observation, or the observation and the desired goal side by
    side, whichever has its width.

    Args:
        path: the file. Its first dimension is the batch; if that is fixed to 1, it runs
            once for each observation.

    Raises:
        ControllerError: if it cannot be loaded or does not fit the observation.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._session = open_session(self.path)
        self._inputs = self._session.get_inputs()
        for entry in self._inputs:
            if entry.type not in TYPES:
                raise ControllerError(
                    f"{self.path}: the input '{entry.name}' is of type {entry.type}; "
                    f"store the policy with inputs of {', '.join(TYPES)}"
                )
        self._one_at_a_time = any(entry.shape and entry.shape[0] == 1 for entry in self._inputs)

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (n, action_dim) in the units the file was trained in."""
        if isinstance(observation, tuple):
            observation = {str(i): part for i, part in enumerate(observation)}
        parts = observation if isinstance(observation, Mapping) else {OBSERVATION: observation}
        feed = {entry.name: self._feed(entry, parts) for entry in self._inputs}
        if not self._one_at_a_time:
            return self._run(feed)
        count = len(next(iter(feed.values())))
        rows = [self._run({k: v[i : i + 1] for k, v in feed.items()}) for i in range(count)]
        return np.concatenate(rows)

    def _run(self, feed: dict[str, np.ndarray]) -> np.ndarray:
        try:
            return np.asarray(self._session.run(None, feed)[0], np.float64)
        except Exception as error:
            raise ControllerError(f"{self.path} cannot be run: {error}") from error

    def _feed(self, entry: Any, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """What an input is given: the part of its name, or what fits the only input there is."""
        if entry.name in parts:
            return np.asarray(parts[entry.name], TYPES[entry.type])
        candidates = [part for name, part in parts.items() if name == OBSERVATION]
        if DESIRED_GOAL in parts and candidates:
            candidates.append(np.concatenate([candidates[0], parts[DESIRED_GOAL]], axis=1))
        fitting = [part for part in candidates or parts.values() if _fits(entry.shape, part)]
        if len(self._inputs) == 1 and (len(fitting) == 1 or candidates) and fitting:
            return np.asarray(fitting[0], TYPES[entry.type])
        shapes = ", ".join(f"{name} {np.shape(part)[1:]}" for name, part in parts.items())
        raise ControllerError(
            f"{self.path} wants an input '{entry.name}' of shape {tuple(entry.shape[1:])}; the "
            f"observation has {shapes}"
        )


def _fits(shape: Sequence[int | str | None], part: np.ndarray) -> bool:
    """Whether a batch is of an input's shape, of which texts and None stand for any number."""
    if not shape:
        return True
    found, expected = np.shape(part)[1:], list(shape)[1:]
    alike = (n == m or not isinstance(n, int) for n, m in zip(expected, found, strict=False))
    return len(found) == len(expected) and all(alike)


def open_session(path: Path) -> InferenceSession:
    """An ONNX session on one core.

    Raises:
        ControllerError: if onnxruntime is missing or cannot read the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ControllerError(
            "a policy stored as ONNX needs onnxruntime: pip install -e '.[export]'"
        ) from error
    if not path.is_file():  # nor is a pipe one, from which nothing may ever come
        raise ControllerError(f"there is no file {path}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors, which are raised as well
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise ControllerError(f"{path} is not a policy that can be loaded: {error}") from error
