"""``python -m benchmarks.speed`` prints all rows; with a name, one measurement as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.speed import main
from benchmarks.speed.peers import measure_stable_baselines3
from benchmarks.speed.planning import measure_planning
from benchmarks.speed.training import measure_training
from benchmarks.speed.update import measure_update

MEASURES: dict[str, Callable[..., Any]] = {
    "update": lambda repeats: measure_update(int(repeats)),
    "planning": lambda repeats: measure_planning(int(repeats)),
    "training": measure_training,
    "stable-baselines3": measure_stable_baselines3,
}

if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(main())
    print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
