"""Signals that ask a run to stop, and those that it was told to ignore."""

import signal

import pytest
from rich.console import Console

from rpl.training.interruption import Interruption

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def heeded():
    """Signals do what they do by default, also where the tests run under nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ASKING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ASKING)
def test_a_signal_asks_the_run_to_stop_and_is_handed_back_afterwards(number, capfd) -> None:
    before = signal.getsignal(number)
    with Interruption("cycle", Console()) as interrupted:
        assert not interrupted()
        signal.raise_signal(number)
        assert interrupted()
    assert signal.getsignal(number) is before
    assert "stopping after this cycle" in capfd.readouterr().err


@pytest.mark.parametrize("number", ASKING)
def test_a_second_one_does_what_it_did_before(number) -> None:
    came = []
    before = signal.signal(number, lambda *_: came.append(number))
    try:
        with Interruption("cycle", Console()):
            signal.raise_signal(number)
            assert not came
            signal.raise_signal(number)
        assert came == [number]
    finally:
        signal.signal(number, before)


def test_under_nohup_a_hangup_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption("cycle", Console()) as interrupted:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGHUP, before)
