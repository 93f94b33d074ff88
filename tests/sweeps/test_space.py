"""What a sweep tries, from words to words."""

from __future__ import annotations

import pytest

from rpl.errors import InvalidValue

optuna = pytest.importorskip("optuna", reason="the extra [cluster] is not installed")

from rpl.sweeps.space import corners, points_of, space_of, words_of  # noqa: E402


def test_values_ranges_and_wide_ranges():
    space = space_of(["residual.scale=0.25,0.5", "--replay.n-step=1..5", "polyak=log:0.01..0.5"])
    assert space == {
        "residual.scale": optuna.distributions.CategoricalDistribution(("0.25", "0.5")),
        "replay.n-step": optuna.distributions.IntDistribution(1, 5),
        "polyak": optuna.distributions.FloatDistribution(0.01, 0.5, log=True),
    }
    assert points_of(space) is None
    ends = [*("0.25", "0.5"), *(1, 5), *(0.01, 0.5)]
    assert [value for corner in corners(space) for value in corner.values()] == ends


def test_values_alone_are_all_combined_and_none_twice():
    points = points_of(space_of(["a=x,y,x", "b=1,2"]))
    assert points == [{"a": a, "b": b} for a in "xy" for b in "12"]


def test_a_small_range_of_whole_numbers_is_all_of_them():
    assert points_of(space_of(["a=1..3"])) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert points_of(space_of(["a=1..30000"])) is None


def test_values_become_the_words_of_a_run():
    values = {"learner.hidden": "64 64", "learner.layer-norm": "false", "resets": "true", "x": 1e-3}
    assert words_of(values) == [
        *("--learner.hidden", "64", "64", "--learner.no-layer-norm", "--resets"),
        *("--x", "0.001"),
    ]


@pytest.mark.parametrize(
    "over",
    [
        *(
            [],
            ["scale"],
            ["scale="],
            ["=1,2"],
            ["a=1", "a=2"],
            ["--a=1", "--a=2"],
            ["a=5..1"],
            ["a=log:0..1"],
        ),
        *(["a=1..x"], ["a=1..2..3"], ["a=0.5..inf"]),
    ],
)
def test_what_says_nothing_is_refused_with_what_to_write(over):
    with pytest.raises(InvalidValue, match="write NAME=A,B,C for values"):
        space_of(over)
