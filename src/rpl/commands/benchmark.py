"""``rpl bench``: physics, environment, learner, end to end, beside the peers that are installed."""

from __future__ import annotations


def bench() -> int:
    """Measures speeds as ratios in one run, beside the peers that are installed."""
    from rpl.bench import main

    return main()
