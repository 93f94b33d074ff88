"""The search and what confirms it, on a controller that is a formula: no environment is stepped."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from rpl.controllers.settings import Setting
from rpl.errors import RunError
from rpl.rollout.evaluate import Outcome
from rpl.tuning.confirm import (
    FINALISTS,
    Remembering,
    confirm,
    finalists,
    fresh_seeds,
)
from rpl.tuning.play import Refused
from rpl.tuning.search import MOST, REFUSED, ROUND, SETTLED, Interrupted, Journal, search

GAINS = {
    "gain": Setting(10.0, low=1.0, high=100.0),
    "fault": Setting(100.0, low=10.0, high=1000.0),
}
SHIPPED = {"gain": 10.0, "fault": 100.0}


class Formula:
    """Solves an episode with a chance that depends on the settings, and by the episode's seed."""

    metric = "success"

    def __init__(self, best: float = 1.0) -> None:
        self.best, self.episodes, self.calls = best, 0, 0
        self.seeds: set[int] = set()

    def chance(self, values) -> float:
        return self.best if values["fault"] < 50.0 else 0.5

    def __call__(self, values, seeds) -> Outcome:
        self.episodes += len(seeds)
        self.calls += 1
        self.seeds |= set(seeds)
        luck = np.array([zlib.crc32(str(seed).encode()) / 2**32 for seed in seeds])
        success = luck < self.chance(values)
        return Outcome(success, np.where(success, -10.0, -50.0), starts=1, steps=50 * len(seeds))


def search_in(folder, play, episodes=2000, **how):
    folder.mkdir(exist_ok=True)
    journal = Journal(folder / "journal.log")
    search(journal, GAINS, play, episodes, 0, **how)
    return journal.tried, journal


def test_it_begins_with_the_shipped_settings_and_ends_when_others_could_only_be_as_good(tmp_path):
    play = Formula()
    found, _ = search_in(tmp_path, play)
    assert found[0].values == SHIPPED
    solved = [one for one in found if one.outcome.success_rate == 1.0]
    assert len(solved) == SETTLED
    assert play.episodes == sum(len(one.outcome.success) for one in found) < 1000
    assert all(one.values["fault"] < 50.0 for one in solved)
    assert all(seed % 2 == 0 for seed in play.seeds), "an episode of evaluation was played"


def test_what_is_clearly_worse_is_given_up_early(tmp_path):
    found, _ = search_in(tmp_path, Formula(best=0.9), episodes=1500)
    worse = [one for one in found[1:] if one.values["fault"] >= 50.0]
    given_up = [one for one in worse if not one.whole]
    assert len(given_up) >= len(worse) / 2 > 0
    assert all(ROUND <= len(one.outcome.success) < MOST for one in given_up)
    whole = [one for one in found if one.whole]
    assert max(len(one.outcome.success) for one in whole) == MOST


def test_it_never_spends_more_than_it_may(tmp_path):
    play = Formula(best=0.9)
    search_in(tmp_path, play, episodes=500)
    assert 500 - MOST < play.episodes <= 500


def test_stopped_or_killed_at_any_time_it_goes_on_as_if_nothing_had_happened(tmp_path):
    """Killed before a setting's first episode, and within its episodes."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    undisturbed, _ = search_in(tmp_path / "whole", Formula(best=0.9), episodes=900)

    class Killed(BaseException):
        pass

    class Dying(Formula):
        def __call__(self, values, seeds):
            if self.calls == self.last:
                raise Killed
            return super().__call__(values, seeds)

    for last in (0, 3, 8, 13):
        play = Dying(best=0.9)
        play.last = last
        with pytest.raises(Killed):
            search_in(tmp_path / "parts", play, episodes=900)
    # As where it is killed while it writes: half a line, and the lock of who was writing.
    file = tmp_path / "parts/journal.log"
    file.write_bytes(file.read_bytes() + b'{"op_code": 4, "wor')
    (tmp_path / "parts/journal.log.lock").symlink_to(file)
    asked = iter([False, True])
    again = Formula(best=0.9)
    with pytest.raises(Interrupted):
        search_in(tmp_path / "parts", again, episodes=900, interrupted=lambda: next(asked))
    resumed, _ = search_in(tmp_path / "parts", Formula(best=0.9), episodes=900)
    assert [one.values for one in resumed] == [one.values for one in undisturbed]
    for one, other in zip(resumed, undisturbed, strict=True):
        assert np.array_equal(one.outcome.success, other.outcome.success)


class Choosy(Formula):
    """Takes some gains only."""

    def __init__(self, takes) -> None:
        super().__init__(best=0.9)
        self.takes, self.refusals = takes, 0

    def __call__(self, values, seeds) -> Outcome:
        if not self.takes(values["gain"]):
            self.refusals += 1
            raise Refused(f"with gain={values['gain']} it is unstable")
        return super().__call__(values, seeds)


def up_to_30() -> Choosy:
    return Choosy(lambda gain: gain <= 30.0)


def test_settings_that_the_controller_refuses_are_passed_over(tmp_path):
    play, said = up_to_30(), []
    found, journal = search_in(tmp_path / "whole", play, episodes=900, on_refused=said.append)
    assert 0 < play.refusals == len(said)
    assert max(one.values["gain"] for one in found) <= 30.0
    assert [one for one in journal.refused if one] == said
    # Who goes on knows what was refused, and is proposed the same.
    asked = iter([False] * 7 + [True])
    with pytest.raises(Interrupted):
        search_in(tmp_path / "parts", up_to_30(), episodes=900, interrupted=lambda: next(asked))
    resumed, again = search_in(tmp_path / "parts", up_to_30(), episodes=900)
    assert [one.values for one in resumed] == [one.values for one in found]
    assert again.refused == journal.refused


def test_a_controller_that_refuses_whatever_is_proposed_ends_the_search(tmp_path):
    with pytest.raises(Refused, match=r"gain=10.0 it is unstable; declare bounds"):
        search_in(tmp_path / "shipped", Choosy(lambda gain: False))
    play = Choosy(lambda gain: gain == SHIPPED["gain"])
    with pytest.raises(Refused, match=r"it is unstable; declare bounds"):
        search_in(tmp_path / "others", play)
    assert play.refusals == REFUSED


def test_a_setting_stays_without_which_the_others_are_refused(tmp_path):
    def played(values):
        if values["fault"] < 50.0 and values["gain"] == 10.0:
            raise Refused("unstable")
        return Formula()(values, range(100))

    confirmed = confirm(played, [{"gain": 3.0, "fault": 20.0}], SHIPPED, "success")
    assert confirmed.values == {"gain": 3.0, "fault": 20.0}
    assert confirmed.changed["gain"] is None
    assert confirmed.changed["fault"]["success_rate"] > 0.3


def test_confirmed_settings_are_the_shipped_ones_but_for_what_was_wrong(tmp_path):
    play = Formula()
    found, journal = search_in(tmp_path, play)
    best = finalists(found, SHIPPED, "success")
    assert 0 < len(best) <= FINALISTS
    assert all(values["gain"] != 10.0 for values in best)
    searched = set(play.seeds)
    fresh = Remembering(journal, play, fresh_seeds(0, 100), "fresh")
    confirmed = confirm(fresh, best, SHIPPED, "success")
    assert searched.isdisjoint(fresh_seeds(0, 100))
    assert confirmed.verdict == "better"
    assert confirmed.values["gain"] == 10.0, "a setting that costs nothing was not put back"
    assert confirmed.values["fault"] < 50.0
    assert list(confirmed.changed) == ["fault"]
    assert confirmed.changed["fault"]["success_rate"] == pytest.approx(0.5, abs=0.15)
    # What was played is kept: who goes on plays nothing.
    again = Formula()
    kept = Remembering(journal, again, fresh_seeds(0, 100), "fresh", interrupted=lambda: True)
    assert confirm(kept, best, SHIPPED, "success").values == confirmed.values
    assert again.calls == 0
    assert kept.steps == fresh.steps == 50 * fresh.episodes
    with pytest.raises(Interrupted):
        kept({"gain": 1.0, "fault": 1.0})


def test_where_nothing_is_shown_to_be_better_the_shipped_settings_stay(tmp_path):
    play = Formula(best=0.5)
    found, journal = search_in(tmp_path, play, episodes=900)
    best = finalists(found, SHIPPED, "success") or [{"gain": 3.0, "fault": 20.0}]
    confirmed = confirm(
        Remembering(journal, play, fresh_seeds(0, 50), "fresh"), best, SHIPPED, "success"
    )
    assert confirmed.values == SHIPPED
    assert not confirmed.changed
    assert confirmed.verdict == "no difference shown"


def test_choices_and_whole_numbers_are_proposed_as_what_they_are(tmp_path):
    settings = {
        "tries": Setting(3, low=1, high=9),
        "side": Setting("top", ("top", "left")),
        "fault": Setting(0.0, low=-1.0, high=1.0),
    }
    journal = Journal(tmp_path / "journal.log")
    search(journal, settings, Formula(best=0.9), 600, 0)
    for one in journal.tried:
        assert isinstance(one.values["tries"], int)
        assert one.values["side"] in ("top", "left")
        assert -1.0 <= one.values["fault"] <= 1.0


def test_without_optuna_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(RunError, match=r"pip install -e '\.\[tune\]'"):
        Journal(tmp_path / "journal.log")


def test_a_damaged_journal_is_said(tmp_path):
    file = tmp_path / "journal.log"
    search_in(tmp_path, Formula(), episodes=100)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"{nothing}\n" + b"".join(lines[1:]))
    with pytest.raises(RunError, match=r"journal.log is damaged: begin again with --overwrite"):
        Journal(file)
