"""Whatever is typed, set or opened that cannot be: one sentence that says what to do, and a code.

Rows are (words, what the sentence says, exit code), made from tables of inputs.
"""

import json
import math
import os
import zipfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rpl
import toys
from rpl.cli.main import COMMANDS, run
from rpl.config import LIMITS, Config
from rpl.errors import Failure, InvalidValue
from rpl.pets.config import LIMITS as PLANNER_LIMITS
from rpl.pets.config import PRESETS
from rpl.registry.names import EnvironmentOptions
from rpl.registry.resolve import resolve
from rpl.runs.folder import RunFolder
from rpl.runs.record import record_of
from rpl.training.progress import Progress
from small import small_learner

Row = tuple[list[str], str, int]
BAD: dict[str, list[Any]] = {
    "at least 1": [0, -3, math.nan, "x", True, 1.5],
    "1.0 or more": [0.5, -1.0, math.nan, "x", True],
    "above 0": [0.0, -1.0, math.nan, math.inf, "x", True],
    "at least 0": [-1, math.nan, math.inf, "x", True],
    "between 0 and 1": [-0.1, 1.1, math.nan, math.inf, "x", True],
    "between 0 and 1024": [-1, 5000, math.nan, "x"],
    "finite": [math.nan, math.inf, -math.inf, "x"],
    "at least 0 and below 1": [1.0, -0.1, math.nan, "x"],
    "above 0 and below 1": [1.0, 0.0, math.nan, "x"],
    "at least 0 and below 2^63": [-1, 2**63, math.nan, "x"],
}
"""Values that a kind of setting cannot have."""


def with_setting(config: Any, name: str, value: Any) -> Any:
    """The configuration with a setting, by its dotted name."""
    first, _, rest = name.partition(".")
    inner = with_setting(getattr(config, first), rest, value) if rest else value
    return replace(config, **{first: inner})


SETTINGS = [
    (config, name, bad)
    for config, limits in ((Config(), LIMITS), (PRESETS["small"], PLANNER_LIMITS))
    for must_be, (_, names) in limits.items()
    for name, bad in product(names.split(), BAD[must_be])
]


@pytest.mark.parametrize(
    ("config", "name", "bad"), SETTINGS, ids=[f"{n}={b}" for _, n, b in SETTINGS]
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(config, name, bad) -> None:
    with pytest.raises(InvalidValue) as caught:
        with_setting(config, name, bad)
    said = str(caught.value)
    assert f"--{name}".replace("_", "-").rpartition(".")[2] in said
    assert "must be" in said
    assert "\n" not in said


# What is typed.
MISSPELT = {"trian": "train", "evla": "eval", "plto": "plot", "exprot": "export", "chekc": "check"}
ODD_NAMES = ["", " ", "no such thing", "../..", "[/]", "\x1b[31m", "ü" * 90, "a:b:c:", "-5", "%s"]
SUBJECTS = ("eval", "watch", "cache")


def typed_rows() -> list[Row]:
    rows: list[Row] = [([word], f"did you mean {meant}?", 2) for word, meant in MISSPELT.items()]
    rows += [(["nothing"], "choose one of tasks, objects", 2)]
    for name in ("slipery-push", "pick-and-plase", "mbrl-puser"):
        rows += [([c, name, *(["x.npz"] * (c == "cache"))], "did you mean", 2) for c in SUBJECTS]
        rows += [([c, name], "did you mean", 2) for c in ("train", "check", "tune")]
    rows += [(["sweep", "nope", "--over", "learner.polyak=0.1,0.2"], "there is no task 'nope'", 2)]
    for name in ("reactive-puhs", "reactive-hok"):
        rows += [(["train", "push", "--controller", name], "did you mean reactive-", 2)]
        rows += [(["eval", "push", "--controller", name], "did you mean reactive-", 2)]
    for name in ("Pendulum-v2", "Pendulm-v1"):
        rows += [(["check", name], "did you mean Pendulum-v1?", 2)]
        rows += [(["eval", name, "--controller", "toys:one"], "did you mean", 2)]
    for name in ODD_NAMES:
        if not name.startswith("-"):
            rows += [(["train", name], "there is no", 2), (["check", name], "", 2)]
        if name and not name.startswith("-"):  # no name at all is this folder, which has runs
            rows += [(["plot", name], "is not a run", 1), (["report", name], "is not a run", 1)]
    rows += [
        (["train", "nowhere:make", "--controller", "toys:one"], "there is no module nowhere", 2),
        (["train", "toys:Nothing", "--controller", "toys:one"], "toys has no 'Nothing'", 2),
        (["train", "toys:Slide", "--controller", "toys:nothing"], "toys has no 'nothing'", 2),
        (["train", "toys:Slide"], "has no controller of its own", 2),
        (["train", "toys:needs_a_size", "--controller", "toys:one"], "without arguments", 2),
        (["train", "toys:one", "--controller", "toys:one"], "without arguments", 2),
        (["eval", "toys:Slide", "--controller", "no.npz"], "there is no cache no.npz", 1),
        (["eval", "toys:Slide", "--controller", "no.onnx"], "there is no file no.onnx", 1),
        (["eval", "toys:Slide", "--controller", "empty.npz"], "is not a cache", 1),
        (["eval", "toys:Slide", "--controller", "empty.onnx"], "is not a policy", 1),
        (["eval", "toys:Slide", "--controller", "pipe.npz"], "it is no file", 1),
        (["eval", "toys:Slide", "--controller", "pipe.onnx"], "there is no file pipe.onnx", 1),
        (["eval", "toys:Slide", "--controller", "pipe.zip"], "there is no file pipe.zip", 1),
        (["eval", "toys:Slide", "--controller", "flipped.zip"], "was not saved by Stable-Base", 1),
        (["tune", "toys:Slide"], "has no controller: name yours", 2),
        (["tune", "toys:Slide", "--controller", "toys:one"], "has no setting to search", 1),
        (["tune", "toys:Slide", "--controller", "toys:one(gain=2)"], "has no setting gain", 1),
        (["tune", "toys:Slide", "--controller", "toys:one(2)"], "must have plain settings", 2),
        (["tune", "push", "--episodes", "10"], "--episodes must be at least", 2),
        (["tune", "push", "--resume", "--overwrite"], "leave out one", 2),
        (["eval", "pipes"], "it is no file", 1),
        (["export", "pipes", "x.onnx"], "it is no file", 1),
        (["objects", "nowhere"], "there is no folder nowhere", 1),
        (["plot"], "name at least one run folder", 2),
        (["report"], "name at least one run folder", 2),
        (["report", "whole", "--films", "-1"], "--films must not be negative", 2),
        (["paper", "check", "--results", "nowhere"], "there is no folder nowhere", 1),
        (
            ["paper", "status", "--tasks", "push-up"],
            "there is no task 'push-up'; did you mean push?",
            2,
        ),
        (["paper", "run", "--jobs", "0"], "must be at least 1", 2),
    ]
    return rows


NUMBERS: list[Row] = [
    (["train", "push", *option.split()], sentence, 2)
    for option, sentence in {
        "--burn-in.threshold nan": "--burn-in.threshold must be at least 0",
        "--burn-in.threshold -1": "--burn-in.threshold must be at least 0",
        "--learner sac --learner.target-entropy nan": "--learner.target-entropy must be finite",
        "--num-threads -1": "--num-threads must be between 0 and 1024",
        "--residual.scale nan": "give finite numbers",
        "--residual.two-valued 4": "the components of the action are 0 to 3",
        "--residual.two-valued -1": "names component -1",
        "--learner.batch-size 1000000000000": "would fit",
        "--learner.hidden 100000000 100000000": "would fit",
        "--learner.critics 1000000000": "would fit",
        "--learner.updates-per-cycle 1000000000000": "would fit",
        "--episodes-per-cycle 1000000000": "would fit",
        "--evaluation-episodes 1000000000000": "would fit",
        "--num-envs 100000000": "would fit",
        "--replay.capacity 1000000000000000 --steps 1000000000000000": "of the disk at",
        "--resume --overwrite": "leave out one",
    }.items()
] + [
    (["train", "mbrl-pusher", "--method", "pets", *option.split()], sentence, 2)
    for option, sentence in {
        "--trials 0": "--trials must be at least 1",
        "--planner.elites 999": "must be at most the population",
        "--planner.horizon 0": "--planner.horizon must be at least 1",
        "--planner.particles 7": "cannot be shared evenly",
        "--model.learning-rate nan": "--model.learning-rate must be above 0",
        "--model.weight-decay 1": "--model.weight-decay has 1 numbers",
        "--planner.population 1000000000000": "would fit",
        "--model.hidden 0 0 0": "--model.hidden must be at least 1",
    }.items()
]
GROUPS: dict[str, tuple[str, str]] = {
    "push": ("--task.friction -1 0 0", "--task.friction must be at least 0, not -1.0"),
    "noisy-hook": ("--task.noise nan", "--task.noise must be at least 0"),
    "hook": ("--controller.gain 0", "gain must be above 0"),
    "pick-and-place": ("--controller.gain nan", "gain must be above 0"),
    "mbrl-pusher": ("--task.max-torque -1", "--task.max-torque must be above 0"),
    "push --controller discrete-mpc-push": ("--controller.expansions 0", "between 1 and 10000"),
    "toys:Slide --controller toys:one": ("--task.processes 0", "between 1 and 1024, not 0"),
    "toys:Reach --controller toys:to_goal": ("--task.reward-bounds 1 0", "give the least reward"),
    "toys:EndsEarly --controller toys:one": ("--task.kwargs 7", "kwargs '7' must be name=value"),
}
GROUPED: list[Row] = [
    ([c, *named.split(), *(["x.npz"] * (c == "cache")), *option.split()], sentence, 2)
    for c, (named, (option, sentence)) in product(("train", *SUBJECTS), GROUPS.items())
] + [
    (["check", *named.split(), *option.split()], sentence, 2)
    for named, (option, sentence) in GROUPS.items()
    if "toys:" in named
]
COUNTS: list[Row] = [
    ([c, "push", *(["x.npz"] * (c == "cache")), "--episodes", n], f"--episodes must be {what}", 2)
    for c, (n, what) in product(
        SUBJECTS, (("0", "at least 1"), ("-4", "at least 1"), ("9" * 12, "at most"))
    )
]
SUFFIXES: list[Row] = [
    (["export", "whole", "policy.txt"], "must end in .onnx", 2),
    (["plot", "whole", "--out", "x"], "must end in .png or .pdf or .svg", 2),
    (["report", "whole", "--out", "x.pdf"], "must end in .html", 2),
    (["cache", "push", "x.zip"], "must end in .npz", 2),
    (["watch", "push", "--video", "x.avi"], "must end in .mp4", 2),
    (["watch", "push", "--strip", "x.gif"], "must end in .png", 2),
    (["objects", "--picture", "x.gif"], "must end in .png", 2),
    (["plot", "whole", "--out", "folder.png"], "cannot write to folder.png", 1),
    (["plot", "whole", "--out", "file/x.png"], "cannot write to file/x.png", 1),
    (["report", "whole", "--films", "0", "--out", "file/x.html"], "cannot write to file/x.html", 1),
    (["train", "push", "--out", "file"], "file is a file", 1),
    (["train", "push", "--out", "file/run"], "cannot write to file/run", 1),
    (["train", "push", "--out", "theirs"], "theirs holds notes.txt, and no run of rpl", 1),
    (["train", "push", "--out", "whole"], "--resume continues it", 1),
    (["train", "push", "--out", "nothing", "--resume"], "holds no run to resume", 1),
]

# What is opened.
RECORDS: dict[str, tuple[Any, str]] = {
    "binary": (b"\xff\xfe\x00{", "is damaged"),
    "empty": (b"", "is damaged"),
    "cut": (b'{"task": "push", "met', "is damaged"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "list": (b"[1, 2]", "is not a run's"),
    "null": (b"null", "is not a run's"),
    "no-task": ({"task": None.__class__}, "is not a run's"),
    "task-number": ({"task": 7}, "'task' is of type int"),
    "method-list": ({"method": ["rpl"]}, "'method' is of type list"),
    "config-text": ({"config": "fast"}, "'config' is of type str"),
    "options-list": ({"task_options": [1]}, "'task_options' is of type list"),
    "seed-text": ({"seed": "zero"}, "'seed' is of type str"),
    "newer": ({"format": 99}, "upgrade rpl"),
    "format-text": ({"format": "two"}, "'format' is of type str"),
}
LOADED: dict[str, tuple[Any, str, int]] = {
    "no-method": ({"method": None.__class__}, "does not say its method", 1),
    "no-controller": ({"controller": None.__class__}, "does not say its controller", 1),
    "unknown-method": ({"method": "magic"}, "there is no method 'magic'", 2),
    "unknown-task": ({"task": "fly away"}, "there is no task 'fly away'", 2),
    "steps-text": ({"config": {"steps": "many"}}, "steps is 'many'", 1),
    "steps-true": ({"config": {"steps": True}}, "steps is True", 1),
    "polyak": ({"config": {"learner": {"polyak": 7.0}}}, "--learner.polyak must be", 1),
    "hidden": ({"config": {"learner": {"hidden": 256}}}, "hidden is 256", 1),
    "learner-list": ({"config": {"learner": [1]}}, "learner is (1,)", 1),
    "friction": ({"task_options": {"friction": ["x", 1, 2]}}, "friction is", 1),
    "gain": ({"controller_options": {"gain": "ten"}}, "gain is 'ten'", 1),
}
ROWS_OF_METRICS = {
    "binary": b"\xff\x00\xfe",
    "other": b"a,b\n1,2\n",
    "text": b"environment_steps,burning_in,policy_return,controller_return\nx,0,1,1\n",
    "infinite": b"environment_steps,burning_in,policy_return,controller_return\n1e999,0,1,1\n",
    "falling": b"environment_steps,burning_in,policy_return,controller_return\n9,0,1,1\n3,0,1,1\n",
    "long": b"environment_steps,burning_in\n1,2,3,4\n",
    "nul": b"environment_steps\x00,burning_in\n1,2\n",
}
READERS = {
    "eval": lambda folder: ["eval", folder],
    "watch": lambda folder: ["watch", folder, "--strip", "x.png"],
    "cache": lambda folder: ["cache", folder, "x.npz"],
    "export": lambda folder: ["export", folder, "x.onnx"],
    "plot": lambda folder: ["plot", folder],
    "report": lambda folder: ["report", folder, "--films", "0"],
    "resume": lambda folder: ["train", "push", "--out", folder, "--resume"],
}


def opened_rows() -> list[Row]:
    rows = [
        (words(f"record-{name}"), sentence, 1)
        for (name, (_, sentence)), words in product(RECORDS.items(), READERS.values())
    ]
    for (name, (_, sentence, code)), who in product(LOADED.items(), ("eval", "export", "cache")):
        rows.append((READERS[who](f"loaded-{name}"), sentence, code))
    for name, who in product(ROWS_OF_METRICS, ("plot", "report")):
        rows.append((READERS[who](f"metrics-{name}"), "metrics.csv", 1))
    return rows


ROWS: list[Row] = [*typed_rows(), *NUMBERS, *GROUPED, *COUNTS, *SUFFIXES, *opened_rows()]


def make_places(folder: Path) -> None:
    """Everything that the rows name."""
    record = json.loads(json.dumps(record_of(resolve("push"), "rpl train push")))
    whole = RunFolder(folder / "whole", record)
    row = dict.fromkeys(("burning_in", "policy_return", "controller_return"), 0.0)
    whole.append({"environment_steps": 400, **row})
    whole.save(small_learner(), Progress(environment_steps=400, rows=1), best=True)
    whole.close()
    text = (folder / "whole/config.json").read_text()
    metrics = (folder / "whole/metrics.csv").read_bytes()
    changed = {f"record-{name}": change for name, (change, _) in RECORDS.items()}
    changed |= {f"loaded-{name}": change for name, (change, *_) in LOADED.items()}
    for name, change in changed.items():
        made = folder / name
        made.mkdir()
        (made / "metrics.csv").write_bytes(metrics)
        if isinstance(change, dict):
            merged = json.loads(text) | change
            kept = {k: v for k, v in merged.items() if v is not None.__class__}
            change = json.dumps(kept).encode()
        (made / "config.json").write_bytes(change)
    for name, data in ROWS_OF_METRICS.items():
        (folder / f"metrics-{name}").mkdir()
        (folder / f"metrics-{name}/config.json").write_text(text)
        (folder / f"metrics-{name}/metrics.csv").write_bytes(data)
    (folder / "folder.png").mkdir()
    (folder / "theirs").mkdir()
    for name in ("pipe.npz", "pipe.onnx", "pipe.zip", "pipes/checkpoint/best.eqx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)
    (folder / "pipes/config.json").write_text(text)
    with zipfile.ZipFile(folder / "flipped.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", "{" * 1000)
    data = (folder / "flipped.zip").read_bytes()
    (folder / "flipped.zip").write_bytes(data[:36] + b"\xff" + data[37:])  # within the entry
    for name in ("file", "empty.npz", "empty.onnx", "theirs/notes.txt"):
        (folder / name).write_text("")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    make_places(folder)
    return folder


def test_there_are_as_many_rows_as_are_promised() -> None:
    assert len(ROWS) + len(SETTINGS) >= 300
    assert {words[0] for words, *_ in ROWS} >= set(COMMANDS) - {"tasks"}


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    ROWS,
    ids=[" ".join(w)[:60].encode("ascii", "replace").decode() for w, *_ in ROWS],
)
def test_a_bad_input_earns_one_sentence(words, sentence, code, places, capfd, monkeypatch) -> None:
    monkeypatch.chdir(places)
    before = sorted(os.listdir(places))
    assert run(words) == code
    said = capfd.readouterr().err
    assert sentence in said
    assert said.startswith("rpl: ")
    assert said.count("\n") == 1, said
    assert sorted(os.listdir(places)) == before, "nothing is made before it is refused"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "push", "--steps", "many"], "--steps"),
        (["train", "push", "--stepps", "3"], "--stepps"),
        (["eval", "push", "--checkpoint", "worst"], "--checkpoint"),
        (["train", "push", "--preset", "slow"], "--preset"),
    ],
)
def test_an_option_that_does_not_parse_is_said_in_a_box(words, sentence, capfd) -> None:
    with pytest.raises(SystemExit) as ended:
        run(words)
    said = capfd.readouterr().err
    assert ended.value.code == 2
    assert sentence in said
    assert "Traceback" not in said


# What is written in Python.
@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"steps": True}, "--steps must be a number, not True"),
        ({"steps": "many"}, "--steps must be a number"),
        ({"steps": 2.5}, "--steps must be a whole number"),
        ({"out": ""}, "out is empty"),
        ({"out": "  "}, "out is empty"),
        ({"seed": -1}, "--seed must be"),
        ({"seed": None}, "--seed"),
        ({"scale": "wide"}, "scale"),
        ({"scale": [1.0, 2.0]}, "2 components"),
        ({"learner": "ppo"}, "choose one of ddpg, td3, sac"),
    ],
)
def test_a_bad_argument_in_python_is_refused(keywords, sentence, workplace) -> None:
    with pytest.raises(Failure, match=sentence):
        rpl.improve("toys:Slide", toys.one, quiet=True, **keywords)
    assert not Path("runs").exists()


@pytest.mark.parametrize("processes", [0, -1, 5000, True])
def test_options_of_an_environment_are_held_to_what_can_be(processes) -> None:
    with pytest.raises(InvalidValue, match="processes must be"):
        EnvironmentOptions(processes=processes)


def test_numbers_of_numpy_are_as_good_as_pythons() -> None:
    config = with_setting(Config(seed=np.int64(3), steps=1e6), "residual.scale", np.float32(0.5))
    assert json.loads(json.dumps([config.seed, config.steps, config.residual.scale])) == [
        3,
        10**6,
        0.5,
    ]
    assert type(config.seed) is int
    assert with_setting(config, "residual.scale", np.array([1, 2.5])).residual.scale == (1.0, 2.5)
