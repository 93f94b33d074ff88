"""What a run has come to, and what it deploys."""

import numpy as np
import pytest

import rpl
import toys
from rpl.cli.main import run
from rpl.rollout.seeds import evaluation_seeds, training_seeds, verdict_seeds
from rpl.runs import session
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.load import STOOD_BELOW
from rpl.training import epoch
from rpl.training.progress import Progress
from rpl.training.verdict import deploys_residual, in_words
from small import USER_RUN, metrics

WORDS = ["train", "toys:Slide", "--controller", "toys:one", *USER_RUN]
OBSERVATIONS = np.random.default_rng(0).uniform(-2, 2, (50, 2)).astype(np.float32)


def numbers(value: float) -> dict:
    return {"success_rate": value, "mean_return": -value}


def verdict(word: str, metric: str = "success") -> dict:
    interval = {"success_interval": (-0.02, 0.08), "return_interval": (-1.5, 0.5)}
    return {
        "verdict": word,
        "metric": metric,
        "episodes": 40,
        "policy": numbers(0.5),
        "controller": numbers(0.47),
        "difference": numbers(0.03) | interval,
    }


def test_no_episode_of_a_verdict_has_chosen_or_taught_the_policy() -> None:
    judged = set(verdict_seeds(3, 1000))
    assert len(judged) == 1000
    assert judged.isdisjoint(evaluation_seeds(3, 5000))
    assert judged.isdisjoint(training_seeds(3, 0, 5000))
    assert judged != set(verdict_seeds(4, 1000))


@pytest.mark.parametrize(
    ("word", "deploys"),
    [
        ("better", True),
        ("worse", False),
        ("no difference shown", False),
        ("too few episodes", False),
    ],
)
def test_only_a_policy_that_is_shown_to_be_better_is_deployed(word, deploys) -> None:
    assert deploys_residual(verdict(word)) is deploys
    said = in_words(verdict(word))
    assert said.startswith(
        "on 40 further episodes the best policy has 0.500, the controller 0.470: "
        f"+0.030 [-0.020, +0.080], {word}; "
    )
    assert ("what is deployed is the controller" in said) is not deploys
    assert "-0.470: -0.030 [-1.500, +0.500]" in in_words(verdict(word, "return"))
    assert deploys_residual(None)  # a run that is not over, or older than verdicts


def test_the_last_words_of_a_run_are_its_verdict_and_what_is_deployed_follows(
    tmp_path, capfd, monkeypatch
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr(session, "judge_best", lambda *_: verdict("better", "return"))
    assert run([*WORDS, "--out", str(folder)]) == 0
    assert "on 40 further episodes" in capfd.readouterr().out.splitlines()[-2]
    expected = np.array([toys.one(one) for one in OBSERVATIONS], np.float32)
    checkpoints = folder / "checkpoint"  # of so short a run the best may be the untrained one
    (checkpoints / "best.eqx").write_bytes((checkpoints / "last.eqx").read_bytes())
    best = rpl.load(folder, "best")(OBSERVATIONS)
    np.testing.assert_array_equal(rpl.load(folder)(OBSERVATIONS), best)
    assert np.abs(best - expected).max() > 1e-4

    monkeypatch.setattr(session, "judge_best", lambda *_: verdict("worse", "return"))
    assert run([*WORDS, "--steps", "400", "--out", str(folder), "--resume"]) == 0
    deployed = rpl.load(folder)
    np.testing.assert_array_equal(deployed(OBSERVATIONS), expected)
    assert "what is deployed is the controller" in str(deployed.remark)
    capfd.readouterr()
    assert run(["eval", str(folder), "--episodes", "12"]) == 0
    assert "what is deployed is the controller" in capfd.readouterr().out
    assert rpl.load(folder, "last").remark in (None, STOOD_BELOW)


def test_a_verdict_is_paired_on_as_many_episodes_as_the_last_evaluation(tmp_path) -> None:
    folder = tmp_path / "run"
    assert run([*WORDS, "--final-evaluation-episodes", "12", "--out", str(folder)]) == 0
    like = rpl.load(folder, "last").state
    _, progress = load_checkpoint(folder, like, Progress)
    found = progress.verdict
    assert found is not None
    assert (found["episodes"], found["metric"]) == (12, "return")
    assert found["difference"]["mean_return"] == pytest.approx(
        found["policy"]["mean_return"] - found["controller"]["mean_return"]
    )


def test_a_last_policy_that_stood_below_its_controller_says_so_and_is_not_the_best(
    tmp_path, monkeypatch, capfd
) -> None:
    monkeypatch.setattr(epoch, "stands_below", lambda progress, *_: progress.rows > 0)
    folder = tmp_path / "run"
    assert run([*WORDS, "--out", str(folder)]) == 0
    assert "worse than its controller" in capfd.readouterr().out
    rows = metrics(folder)
    assert len(rows) > 2
    assert all(row["policy_return"] == row["controller_return"] for row in rows)
    expected = np.array([toys.one(one) for one in OBSERVATIONS], np.float32)
    np.testing.assert_array_equal(rpl.load(folder, "best")(OBSERVATIONS), expected)
    last = rpl.load(folder, "last")
    assert "did worse than its controller" in str(last.remark)
    assert np.abs(last(OBSERVATIONS) - expected).max() > 1e-4  # to be looked at nevertheless
