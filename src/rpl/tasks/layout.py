"""Names for the parts of a flat observation."""

from collections.abc import Mapping

import numpy as np


class Layout:
    """The ordered parts of an observation vector, by name.

    One table per task builds the observation and names its slices, so that a
    controller says ``observation[:, layout.object_position]`` and never ``[:, 3:6]``.

    Args:
        sizes: the number of components of each part, in order.

    Raises:
        AttributeError: on access to a part that the task does not observe; the
            message lists those it does.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        stops = np.cumsum(list(sizes.values()))
        self._slices = {
            name: slice(int(stop) - size, int(stop))
            for (name, size), stop in zip(sizes.items(), stops, strict=True)
        }
        self.size = int(stops[-1]) if len(stops) else 0

    def __getattr__(self, name: str) -> slice:
        slices = self.__dict__.get("_slices", {})
        if name in slices:
            return slices[name]
        raise AttributeError(f"the observation has no part '{name}'; it has {', '.join(slices)}")

    def items(self):
        """The (name, slice) pairs, in order."""
        return self._slices.items()

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}[{s.start}:{s.stop}]" for name, s in self.items())
        return f"Layout({parts})"
