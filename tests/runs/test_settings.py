"""Settings survive JSON, and older records mean what they meant."""

import json
from dataclasses import asdict, dataclass, replace

import pytest

from rpl.config import Config, LearnerConfig
from rpl.errors import RunError
from rpl.presets import FAST, PAPER
from rpl.runs.folder import RunFolder
from rpl.runs.settings import differences, read_back


@dataclass(frozen=True)
class Options:
    physics: str = "exact"
    friction: tuple[float, ...] | None = None


@pytest.mark.parametrize(
    "config", [FAST, PAPER, replace(FAST, learner=LearnerConfig(hidden=(7, 8)))]
)
def test_a_nested_configuration_survives_json(config) -> None:
    assert read_back(Config(), json.loads(json.dumps(asdict(config)))) == config


def test_what_is_no_more_is_left_out_and_what_is_new_has_its_default() -> None:
    read = read_back(Options(), {"friction": [1, 2], "wind": 3})
    assert read == Options("exact", (1, 2))


def test_an_older_record_differs_only_where_its_numbers_would() -> None:
    recorded = {"config": {"steps": 1, "learner": {"action_l2_relative": False, "discount": 0.9}}}
    expected = {"config": {"steps": 2, "learner": {"discount": 0.8}, "seed": 0}}
    defaults = {"config": {"seed": 0}}
    found = list(differences(recorded, expected, defaults))
    assert found == [("config.learner.discount", 0.9, 0.8, True)]
    recorded["config"]["learner"]["action_l2_relative"] = True
    assert [name for name, *_ in differences(recorded, expected, defaults)] == [
        "config.learner.action_l2_relative",
        "config.learner.discount",
    ]


def test_a_run_older_than_a_setting_goes_on(tmp_path) -> None:
    RunFolder(tmp_path, {"task": "push", "task_options": {}}).close()
    now = {"task": "push", "task_options": {"physics": "exact"}}
    with pytest.raises(RunError, match=r"task_options\.physics was None, is exact"):
        RunFolder(tmp_path, now, resume=True)
    RunFolder(tmp_path, now, resume=True, defaults={"task_options": {"physics": "exact"}}).close()
