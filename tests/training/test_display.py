"""What a run says while it goes on."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

import rpl.training.display
from rpl.training.display import Display, Speed
from rpl.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is moved."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(rpl.training.display.time, "monotonic", lambda: now.seconds)
    return now


def said(terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=120), out


def test_in_a_pipe_a_long_evaluation_says_how_far_it_is_and_a_short_one_nothing(clock) -> None:
    console, out = said(terminal=False)
    display = Display(console, 1000, "success")
    for step in range(10):
        display.on_evaluating("policy", step / 10)
    assert not out.getvalue()
    display.on_evaluating("controller", 0.0)
    for step in range(1, 10):
        clock.seconds += 4.0
        display.on_evaluating("controller", step / 10)
    assert out.getvalue().splitlines() == [
        "evaluating controller: 40% of the episodes",
        "evaluating controller: 80% of the episodes",
    ]


def test_on_a_terminal_it_stands_in_front_of_the_bar_until_it_is_over() -> None:
    console, out = said(terminal=True)
    with Display(console, 1000, "success") as display:
        display.on_evaluating("policy", 0.42)
    assert "evaluating policy  42%" in out.getvalue()
    row = dict.fromkeys(("policy_success", "policy_success_low", "policy_success_high"), 0.5)
    row |= {"controller_success": 0.4, "environment_steps": 0, "evaluation_episodes": 9}
    console, out = said(terminal=True)
    with Display(console, 1000, "success") as display:
        display.on_evaluating("policy", 0.42)
        display.on_evaluation(row | {"burning_in": 0})
    assert "training" in out.getvalue()
    assert "evaluating" not in out.getvalue()


def test_no_time_is_left_once_the_last_episodes_run_past_the_end(clock) -> None:
    speed = Speed()
    speed.update(0)
    clock.seconds += 1.0
    speed.update(10)
    assert speed.seconds_for(20) == 2.0
    assert speed.seconds_for(-5) == 0.0


def test_while_the_policy_acts_alone_what_exploring_was_worth_stays_in_sight(clock) -> None:
    console, out = said(terminal=False)
    display = Display(console, 1000, "success")
    display.on_cycle(Progress(environment_steps=100), {"exploring_success": 0.75})
    clock.seconds += 60.0
    display.on_cycle(Progress(environment_steps=200), {})
    assert "exploring 0.75" in out.getvalue().splitlines()[-1]
