"""A logger in any loop: what it writes is what is read, whatever is observed."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from numpy.testing import assert_array_equal

import rpl
import toys
from recording import record
from rpl.errors import InvalidValue
from rpl.replay.episode_files import read_recording
from rpl.replay.recorded import MadeIn, Recording, UnsuitablePrior, check_recording, nested

NESTED = Dict(
    {
        "robot": Dict({"joints": Box(-9, 9, (2,)), "gripper/open": Discrete(2)}),
        "depth": Box(-9.0, 9.0, ()),
        "views": Tuple((Box(0, 255, (2, 3, 1), np.uint8), Box(-9.0, 9.0, (1,)))),
    }
)
SUFFIXES = pytest.mark.parametrize("suffix", [".npz", ".h5"])


@SUFFIXES
def test_a_loop_s_episodes_are_read_as_they_happened(tmp_path, suffix) -> None:
    if suffix == ".h5":
        pytest.importorskip("h5py")
    env = toys.Slide()
    path = record(tmp_path / f"slide{suffix}", env, toys.one, seeds=(3, 4), noise=0.1)
    recording = checked(str(path), env)
    assert (len(recording.episodes), recording.made_in.kind) == (2, "Slide")
    for seed, episode in zip((3, 4), recording.episodes, strict=True):
        observation, _ = env.reset(seed=seed)
        seen = [observation]
        for action, reward in zip(episode.actions, episode.rewards, strict=True):
            observation, paid, terminated, truncated, _ = env.step(action.astype(np.float32))
            seen.append(observation)
            assert paid == pytest.approx(reward)
        assert_array_equal(episode.observations["observations"], seen)
        assert (episode.terminated, truncated) == (terminated, not terminated)
        assert episode.success is None
        assert episode.base_actions is None


@SUFFIXES
def test_nested_observations_come_back_in_their_types(tmp_path, suffix) -> None:
    if suffix == ".h5":
        pytest.importorskip("h5py")
    NESTED.seed(0)
    seen = [NESTED.sample() for _ in range(3)]
    with rpl.EpisodeLog(tmp_path / f"nested{suffix}") as log:
        log.begin(seen[0], [0.5])
        log.step([0.25], seen[1], 1.0, False, False, {"success": False}, [0.75])
        log.step([0.5], seen[2], 2.0, True, False, {"success": True}, [1.0])
    (episode,) = read_recording(str(log.path), NESTED).episodes
    check = nested(episode.observations, NESTED)
    assert check["views"][0].dtype == np.uint8
    for t, observation in enumerate(seen):
        assert_array_equal(check["robot"]["joints"][t], observation["robot"]["joints"])
        assert check["robot"]["gripper/open"][t] == observation["robot"]["gripper/open"]
        assert_array_equal(check["views"][0][t], observation["views"][0])
    assert_array_equal(episode.base_actions[:, 0], [0.5, 0.75, 1.0])
    assert (episode.success, episode.terminated) == (True, True)


def test_what_a_loop_reuses_is_copied(tmp_path) -> None:
    buffer = np.zeros(2)
    with rpl.EpisodeLog(tmp_path / "log.npz") as log:
        log.begin(buffer)
        for t in (1.0, 2.0):
            buffer[:] = t
            log.step(buffer[:1], buffer, t, False, t == 2.0)
    (episode,) = log.episodes
    assert_array_equal(episode.observations["observations"][:, 0], [0, 1, 2])
    assert_array_equal(episode.actions[:, 0], [1, 2])


def test_an_episode_that_breaks_off_is_kept_only_where_the_loop_ended_well(tmp_path) -> None:
    path = tmp_path / "log.npz"

    def break_off() -> None:
        with rpl.EpisodeLog(path) as log:
            for terminated in (True, False):
                log.begin(np.zeros(2))
                log.step([0.0], np.zeros(2), 0.0, terminated, False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert len(read_recording(str(path), Box(-1, 1, (2,))).episodes) == 1
    with rpl.EpisodeLog(path) as log:
        log.begin(np.zeros(2))
        log.step([0.0], np.zeros(2), 0.0, False, False)
    (episode,) = read_recording(str(path), Box(-1, 1, (2,))).episodes
    assert not episode.terminated


def test_a_logger_that_is_misused_says_how(tmp_path) -> None:
    with pytest.raises(InvalidValue, match=r"must end in \.npz"):
        rpl.EpisodeLog(tmp_path / "log.csv")
    log = rpl.EpisodeLog(tmp_path / "log.npz")
    with pytest.raises(InvalidValue, match="call begin"):
        log.step([0.0], np.zeros(2), 0.0, False, False)
    with pytest.raises(InvalidValue, match="nothing to write"):
        log.save()
    log.begin(np.zeros(2), [0.0])
    with pytest.raises(InvalidValue, match="to none of them"):
        log.step([0.0], np.zeros(2), 0.0, False, False)
    for size in (2, 3):
        log.begin(np.zeros(size))
        log.step([0.0], np.zeros(size), 0.0, True, False)
    with pytest.raises(InvalidValue, match="differ in what they observe"):
        log.save()


def checked(name: str, env: gymnasium.Env) -> Recording:
    """What a file holds, held to an environment."""
    recording = read_recording(name, env.observation_space)
    check_recording(recording, env.observation_space, env.action_space, MadeIn.of(env))
    return recording


@pytest.fixture
def slide_file(tmp_path):
    return record(tmp_path / "slide.npz", toys.Slide(), toys.one)


def changed(path, **changes) -> str:
    """The file with fields changed, or left out where None."""
    with np.load(path) as file:
        fields = {name: file[name] for name in file.files} | changes
    other = path.with_name("changed.npz")
    np.savez(other, **{name: value for name, value in fields.items() if value is not None})
    return str(other)


BAD_ACTIONS = np.full((32, 1), 5.0)
NOT_FINITE = np.full(32, np.nan)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rewards": None}, r"changed\.npz has no rewards; it has"),
        ({"observations": np.zeros((36, 3))}, r"episode 0: observations have shape \(9, 3\)"),
        ({"observations": np.zeros((35, 2))}, r"observations has shape \(35, 2\), and by the len"),
        ({"actions": BAD_ACTIONS}, r"episode 0: actions at step 0 are \[5\.\], beyond the bounds"),
        ({"actions": np.zeros((32, 2))}, r"episode 0: actions have shape \(8, 2\)"),
        ({"rewards": NOT_FINITE}, "episode 0: rewards are not finite at step 0"),
        ({"lengths": np.array([32, 0])}, "lengths must be whole numbers"),
        ({"lengths": np.array([31])}, "by the lengths it has 31 rows"),
        ({"environment_class": np.array("Glide")}, "was recorded in Glide, and this is Slide"),
        (
            {"action_bounds": np.array([[-1.0], [1.0]])},
            r"from \(-1.0,\) to \(1.0,\), and here",
        ),
        ({"action_bounds": np.array("wide")}, r"with actions from \(\) to \(\), and here"),
        ({"base_actions": np.zeros((32, 1))}, "base_actions has shape"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_file_and_field(
    slide_file, changes, sentence
) -> None:
    env = toys.Slide()
    name = changed(slide_file, **changes)
    with pytest.raises(UnsuitablePrior, match=sentence) as refused:
        checked(name, env)
    assert str(refused.value).startswith(name)
    assert "\n" not in str(refused.value)


def test_observations_a_range_beyond_their_bounds_are_another_environment_s(slide_file) -> None:
    recording = read_recording(str(slide_file), toys.Slide().observation_space)
    recording.episodes[1].observations["observations"][2, 0] = 3.5
    little, much = Box(-3.0, 3.0, (2,)), Box(-1.0, 0.1, (2,))
    none = Box(np.array([-3.0, 7.0]), np.array([3.0, 7.0]), dtype=np.float64)
    actions = toys.Slide().action_space
    for episode in recording.episodes:
        episode.observations["observations"][:, 1] = 0.0
    check_recording(recording, little, actions, MadeIn())
    check_recording(recording, none, actions, MadeIn())  # the second number is not bounded so
    with pytest.raises(UnsuitablePrior, match="are far beyond the space"):
        check_recording(recording, much, actions, MadeIn())


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path, content) -> None:
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(UnsuitablePrior, match="cannot be read, it is damaged"):
        read_recording(str(path), toys.Slide().observation_space)


def test_no_object_of_python_is_ever_unpickled(tmp_path) -> None:
    path = tmp_path / "pickled.npz"
    np.savez(path, lengths=np.array([object()]))
    with pytest.raises(UnsuitablePrior, match="cannot be read"):
        read_recording(str(path), toys.Slide().observation_space)


def test_ids_tell_environments_apart_and_classes_where_there_are_none() -> None:
    pendulum = MadeIn.of(gymnasium.make("Pendulum-v1"))
    assert pendulum == MadeIn("Pendulum-v1", "PendulumEnv", ((-2.0,), (2.0,)))
    assert pendulum.contradicts(MadeIn("Pendulum-v0", "PendulumEnv"))
    assert pendulum.contradicts(MadeIn(None, "Slide"))
    assert not pendulum.contradicts(MadeIn(None, "PendulumEnv"))
    assert not pendulum.contradicts(MadeIn())


def test_a_minari_dataset_is_read_by_its_id_and_by_its_folder(tmp_path, monkeypatch) -> None:
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = gymnasium.make("Pendulum-v1", max_episode_steps=5)
    collector = minari.DataCollector(env)
    env.action_space.seed(0)
    rewards = []
    for seed in (0, 1):
        collector.reset(seed=seed)
        rewards += [collector.step(env.action_space.sample())[1] for _ in range(5)]
    collector.create_dataset("pendulum/random-v0")
    for name in ("pendulum/random-v0", str(tmp_path / "pendulum" / "random-v0")):
        recording = checked(name, env)
        assert [len(episode) for episode in recording.episodes] == [5, 5]
        paid = np.concatenate([episode.rewards for episode in recording.episodes])
        np.testing.assert_allclose(paid, rewards)
        assert recording.made_in.id == "Pendulum-v1"
        assert len(recording.sha256) == 64
    with pytest.raises(UnsuitablePrior, match="nor a Minari dataset"):
        read_recording("pendulum/expert-v0", env.observation_space)


def test_actions_that_a_wrapper_rescales_are_not_taken_for_the_environment_s(tmp_path) -> None:
    slide = toys.Slide()
    rescaled = gymnasium.wrappers.RescaleAction(slide, np.float32(-1), np.float32(1))
    path = record(tmp_path / "unit.npz", rescaled, lambda seen: np.ones(1))
    assert checked(str(path), rescaled).made_in.bounds == ((-1.0,), (1.0,))
    with pytest.raises(UnsuitablePrior, match="without RescaleAction"):
        checked(str(path), slide)
