"""The example swings the pendulum up: PETS on a task that is not ours."""

import runpy
from dataclasses import replace
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "pets_pendulum.py"


def test_a_pendulum_stands_after_three_planned_trials() -> None:
    example = runpy.run_path(str(EXAMPLE))
    config = example["CONFIG"]
    small = replace(
        config,
        trials=3,
        model=replace(config.model, networks=2, hidden=(32, 32)),
        planner=replace(config.planner, population=60, elites=10, particles=2),
    )
    returns = example["main"](small)
    assert len(returns) == 4
    # Random torques earn about -1200 and no plan less than that; standing earns above -300
    # wherever the pendulum began.
    assert returns[0] < -700
    assert max(returns[2:]) > -350
