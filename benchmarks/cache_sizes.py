"""Return of CachedPETS against the size of its cache, the paper's figure 6:

    rpl cache RUN pool.npz --states 1500
    python benchmarks/cache_sizes.py pool.npz --image docs/images/figure6.png

25 trials a size; each draws its states anew from the pool and starts an episode of its own, so
that the spread is that of caches and of episodes. Writes results/figure6.csv.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from rpl.controllers.cached import Cache
from rpl.controllers.contract import ControllerPolicy
from rpl.paper.figures import COLUMNS, plot_cache_sizes
from rpl.rollout.collect import collect
from rpl.rollout.seeds import evaluation_seeds
from rpl.tasks.pusher.task import PusherTask

ROOT = Path(__file__).parents[1]
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)
HORIZON, JOINTS = 150, 7


def trial_return(task: PusherTask, pool: Cache, size: int, trial: int) -> float:
    """The return of one episode with ``size`` states of the pool."""
    chosen = np.random.default_rng((size, trial)).choice(len(pool), size, replace=False)
    parts = {
        part: getattr(pool, part)[chosen] for part in ("observation", "desired_goal", "action")
    }
    controller = replace(pool, **parts)
    seed = evaluation_seeds(0, trial + 1)[trial]
    return float(collect(task, ControllerPolicy(controller, JOINTS), [seed], HORIZON).returns[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "figure6.csv")
    parser.add_argument("--image", type=Path)
    options = parser.parse_args()
    pool, task = Cache.load(options.pool), PusherTask(1, num_threads=1)
    planner = f"{np.mean(pool.provenance['returns']):.2f}"
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with options.results.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for size in options.sizes:
            returns = [trial_return(task, pool, size, i) for i in range(options.trials)]
            mean, std = f"{np.mean(returns):.2f}", f"{np.std(returns, ddof=1):.2f}"
            row = (size, len(returns), mean, std, planner)
            writer.writerow(row)
            print(*row, flush=True)
    if options.image:
        plot_cache_sizes(options.results).savefig(options.image, dpi=160)


if __name__ == "__main__":
    main()
