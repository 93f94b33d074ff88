"""An ONNX graph as it grows, with the networks' parts as its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from rpl.learner.mlp import NORM_EPSILON

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

    from rpl.learner.mlp import MLP
    from rpl.learner.normalizer import Normalizer


class Graph:
    """An ONNX graph as it grows; every method adds a node and returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, dtype))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = to or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def clip(self, x: str, bound: float) -> str:
        return self.add("Clip", x, self.constant(-bound), self.constant(bound))

    def normalized(self, x: str, normalizer: Normalizer) -> str:
        """``rpl.learner.normalizer.Normalizer``."""
        low, high = map(self.constant, normalizer.input_range)
        x = self.add("Min", self.add("Max", x, low), high)
        x = self.add("Sub", x, self.constant(normalizer.mean))
        x = self.add("Div", x, self.constant(normalizer.std))
        return self.clip(x, normalizer.output_clip)

    def mlp(self, x: str, network: MLP, outputs: int) -> str:
        """``rpl.learner.mlp.MLP``, the first ``outputs`` of its last layer."""
        layers = list(zip(network.weights, network.biases, strict=True))
        for i, (weight, bias) in enumerate(layers[:-1]):
            x = self.add("Gemm", x, self.constant(weight), self.constant(bias))
            if network.scales:
                learned = self.constant(network.scales[i]), self.constant(network.offsets[i])
                x = self.add("LayerNormalization", x, *learned, epsilon=NORM_EPSILON)
            x = self.add("Relu", x)
        weight, bias = layers[-1]
        return self.add(
            "Gemm", x, self.constant(weight[:, :outputs]), self.constant(bias[:outputs])
        )

    def columns(self, x: str, first: int, end: int) -> str:
        """x[:, first:end]"""
        return self.add("Slice", x, *(self.constant([at], np.int64) for at in (first, end, 1)))

    def mean(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.add("Mean", *parts)
