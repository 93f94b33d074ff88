"""One measurement in a process of its own; prints JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from rpl.bench.peers import measure_stable_baselines3
from rpl.bench.planning import measure_planning
from rpl.bench.training import measure_training
from rpl.bench.update import measure_update

MEASURES: dict[str, Callable[..., Any]] = {
    "update": lambda repeats: measure_update(int(repeats)),
    "planning": lambda repeats: measure_planning(int(repeats)),
    "training": measure_training,
    "stable-baselines3": measure_stable_baselines3,
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
