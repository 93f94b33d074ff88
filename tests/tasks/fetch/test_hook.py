"""The hook scene, its 40 numbers, its noise, and what depends on what."""

from dataclasses import replace

import gymnasium
import mujoco
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rpl.tasks import COMPLEX_HOOK, HOOK, NOISY_HOOK, History, HookTask, make_hook_task
from rpl.tasks.fetch.arm import hold_weld_at_gripper
from rpl.tasks.fetch.hook import BUMPS, hook_spec, settle
from rpl.tasks.fetch.lean import STANDING_JOINTS, TORSO_JOINT

LEAN = replace(HOOK, physics="lean")
NOISY = replace(LEAN, noise=0.025)


@pytest.fixture
def make():
    """Builds one-threaded hook tasks and closes them afterwards."""
    tasks: list[HookTask] = []

    def build(num_envs: int = 1, options=LEAN, **keywords) -> HookTask:
        tasks.append(HookTask(num_envs, options, **{"num_threads": 1, **keywords}))
        return tasks[-1]

    yield build
    for task in tasks:
        task.close()


def part(task: HookTask, observation, name: str) -> np.ndarray:
    return observation["observation"][:, getattr(task.layout, name)]


def test_predictions_are_without_sensor_noise(make) -> None:
    noisy, quiet = (make(2, options, simulator_state=True) for options in (NOISY, LEAN))
    for task in (noisy, quiet):
        task.reset(seed=1)
    states, actions = quiet.simulator_state(), np.full((2, 4), 0.3)
    (predicted, _), (expected, _) = (task.predict(states, actions) for task in (noisy, quiet))
    assert_array_equal(predicted["observation"], expected["observation"])


def test_the_state_is_the_fetch_tasks_25_numbers_and_15_of_the_hook(make) -> None:
    sizes = [(name, s.stop - s.start) for name, s in make().layout.items()]
    assert sizes[9:] == [
        ("hook_position", 3),
        ("hook_rotation", 3),
        ("hook_relative_velocity", 3),
        ("hook_angular_velocity", 3),
        ("hook_relative_position", 3),
    ]
    assert sum(size for _, size in sizes[:9]) == 25
    assert make().max_episode_steps == 100


def test_numbers_agree_with_the_simulation(make) -> None:
    task = make()
    task.reset(seed=3)
    joint = task.model.joint("hook:joint")
    start, dof = int(joint.qposadr[0]), int(joint.dofadr[0])
    task._qpos[0, start : start + 7] = (1.5, 0.8, 0.9, np.cos(0.35), 0.0, 0.0, np.sin(0.35))
    task._qvel[0, dof : dof + 6] = (0.1, 0.2, 0.3, 0.0, 0.0, 2.0)
    task.batch.forward()
    seen, _ = task._observe()
    gripper = part(task, seen, "gripper_position")[0]
    heading = np.array((np.cos(0.7), np.sin(0.7), 0.0))
    grasp = np.array((1.5, 0.8, 0.9)) - 0.25 * heading
    assert_allclose(part(task, seen, "hook_position")[0], grasp, atol=1e-12)
    assert_allclose(part(task, seen, "hook_relative_position")[0], grasp - gripper, atol=1e-12)
    assert_allclose(part(task, seen, "hook_rotation")[0], (0, 0, 0.7), atol=1e-12)
    assert_allclose(part(task, seen, "hook_angular_velocity")[0], (0, 0, 0.08), atol=1e-12)
    turning = 2.0 * 0.25 * np.array((np.sin(0.7), -np.cos(0.7), 0.0))
    velocity = 0.04 * (np.array((0.1, 0.2, 0.3)) + turning)
    velocity -= part(task, seen, "gripper_velocity")[0]
    assert_allclose(part(task, seen, "hook_relative_velocity")[0], velocity, atol=1e-12)


def test_objects_start_out_of_reach_and_goals_between_them_and_the_robot(make) -> None:
    task = make(64)
    seen, _ = task.reset(seed=0)
    block, goal = part(task, seen, "object_position"), seen["desired_goal"]
    assert (np.abs(block[:, 1] - 0.75) <= 0.05).all()
    assert (block[:, 0] >= 1.75).all()
    assert (block[:, 0] <= 1.9).all()
    assert block[:, 0].max() > 1.85
    assert (np.linalg.norm(block[:, :2] - (1.65, 0.75), axis=1) >= 0.1).all()
    assert_allclose(goal[:, 0] - 1.65, goal[:, 1] - 0.75, atol=1e-12)
    assert np.ptp(goal[:, 0]) == pytest.approx(0.1, rel=0.2)
    assert_array_equal(goal[:, 2], 0.42)
    assert (goal[:, 0] < block[:, 0]).all()
    assert_allclose(part(task, seen, "hook_position"), np.tile((1.1, 0.35, 0.4), (64, 1)))


def test_noise_falls_on_the_positions_and_rotations_of_the_paper_only(make) -> None:
    noisy, clean = make(200, NOISY), make(200)
    seen, truth = noisy.reset(seed=1)[0], clean.reset(seed=1)[0]
    difference = {
        name: seen["observation"][:, s] - truth["observation"][:, s]
        for name, s in clean.layout.items()
    }
    for name in ("object_rotation", "hook_position", "hook_rotation"):
        assert_allclose(difference[name].std(axis=0), 0.025, rtol=0.2, err_msg=name)
    assert_allclose(difference["object_position"].std(axis=0), (0.025, 0.025, 0.0), rtol=0.2)
    for name in ("object", "hook"):
        # Relative positions come from the noisy values; the gripper's own are precise.
        relative, absolute = difference[f"{name}_relative_position"], difference[f"{name}_position"]
        assert_allclose(relative, absolute, atol=1e-12)
    silent = set(difference) - {
        *("object_position", "object_rotation", "object_relative_position"),
        *("hook_position", "hook_rotation", "hook_relative_position"),
    }
    for name in silent:
        assert_array_equal(difference[name], 0.0, err_msg=name)
    values = np.concatenate([difference[n] for n in ("object_rotation", "hook_position")], axis=1)
    assert np.abs(np.corrcoef(values.T) - np.eye(6)).max() < 0.3, "components are independent"


def test_noise_is_drawn_anew_at_each_step_and_success_is_judged_on_the_truth(make) -> None:
    task = make(100, NOISY)
    seen, _ = task.reset(seed=0)
    before = part(task, seen, "object_position")
    block = task._object_qpos
    task._qpos[:, block : block + 2] = task._goal[:, :2] + (0.045, 0.0)
    seen, reward, _, _, info = task.step(np.zeros((100, 4)))
    truth = task._site_position[:, task._object_site]
    noise = part(task, seen, "object_position") - truth
    assert np.abs(noise - before).min() > 0
    assert info["is_success"].all()
    assert_allclose(seen["achieved_goal"] - truth, noise, atol=1e-12)
    assert 0.2 < (reward < 0).mean() < 0.8, "rewards see the noise"
    expected = task.compute_reward(seen["achieved_goal"], seen["desired_goal"], info)
    assert_array_equal(reward, expected)


def test_rewards_may_be_told_the_truth(make) -> None:
    task = make(50, replace(NOISY, noisy_rewards=False))
    task.reset(seed=0)
    seen, *_ = task.step(np.zeros((50, 4)))
    truth = task._site_position[:, task._object_site]
    assert_array_equal(seen["achieved_goal"], truth)
    assert np.abs(part(task, seen, "object_position") - truth)[:, :2].max() > 0.03


def test_an_episode_depends_on_its_seed_and_actions_alone(make) -> None:
    complex_noisy = replace(COMPLEX_HOOK, physics="lean", noise=0.025)
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 3, 4))

    def rows(task, order) -> np.ndarray:
        seen = [task.reset(seed=[10 + i for i in order])[0]["observation"]]
        for step, action in enumerate(actions):
            if step == 3:  # another simulation begins anew without disturbing this one
                mask = np.arange(task.num_envs) == task.num_envs - 1
                task.reset(seed=[99] * task.num_envs, options={"reset_mask": mask})
            seen.append(task.step(action[order])[0]["observation"])
        return np.stack(seen)

    together = rows(make(3, complex_noisy), [0, 1, 2])
    reordered = rows(make(3, complex_noisy, num_threads=2), [1, 0, 2])
    assert_array_equal(together[:, 0], reordered[:, 1])
    assert_array_equal(together[:, 1], reordered[:, 0])


def test_above_bumps_things_fall_into_place(make) -> None:
    task = make(16, replace(COMPLEX_HOOK, physics="lean"))
    seen, _ = task.reset(seed=0)
    assert_allclose(part(task, seen, "hook_position")[:, 2], 0.6)
    rest = np.array([-task.objects[i].mesh.vertices[:, 2].min() for i in task.object_index])
    height = part(task, seen, "object_position")[:, 2] - rest
    assert (height >= 0.4 + 2 * BUMPS.largest[2]).all()
    assert (part(task, seen, "object_position")[:, 0] <= 1.85).all()
    for _ in range(15):
        seen, *_ = task.step(np.zeros((16, 4)))
    assert (part(task, seen, "hook_position")[:, 2] < 0.45).all()
    assert (part(task, seen, "object_position")[:, 2] > 0.4).all(), "nothing fell through"


def test_lean_physics_keeps_what_the_task_is_made_of(make) -> None:
    exact, lean = make(1, HOOK), make(1)
    pairs = []
    for task in (exact, lean):
        model = task.model
        meets = (model.geom_contype[:, None] & model.geom_conaffinity).astype(bool)
        meets[model.pair_geom1, model.pair_geom2] = True
        pairs.append(meets | meets.T)
    body = [lean.model.body(int(b)).name for b in lean.model.geom_bodyid]
    table = lean.model.geom("table0").id
    moved = [i for i, name in enumerate(body) if name in ("object0", "hook")]
    hand = [i for i, name in enumerate(body) if "finger" in name]
    assert pairs[1][np.ix_([table, *moved], hand)].all()
    assert pairs[1][np.ix_(moved, [table])].all()
    assert pairs[1].sum() < pairs[0].sum() / 3
    assert lean.model.nbody < 0.6 * exact.model.nbody
    joints = [{task.model.joint(i).name for i in range(task.model.njnt)} for task in (exact, lean)]
    assert joints[0] - joints[1] == {*STANDING_JOINTS, TORSO_JOINT}


@pytest.mark.parametrize("name", ["Hook", "NoisyHook", "ComplexHook"])
def test_gymnasium_makes_them_by_name(name) -> None:
    env = gymnasium.make(f"rpl/{name}-v0", physics="lean")
    seen, _ = env.reset(seed=0)
    assert seen["observation"].shape == ((80,) if name == "NoisyHook" else (40,))
    assert env.spec is not None
    assert env.spec.max_episode_steps == 100
    assert env.observation_space.contains(seen)
    env.close()


def test_only_the_noisy_task_has_a_history_by_default() -> None:
    assert isinstance(make_hook_task(2, NOISY_HOOK, num_threads=1), History)
    assert isinstance(make_hook_task(2, HOOK, num_threads=1), HookTask)


def test_a_picture_shows_hook_goal_and_this_simulations_object(make) -> None:
    task = make(2, replace(COMPLEX_HOOK, physics="lean"))
    task.reset(seed=[0, 6])
    assert task.object_index[0] != task.object_index[1]
    frames = [task.frame(i, (240, 240)).astype(int) for i in range(2)]
    for frame in frames:
        red, green, blue = np.moveaxis(frame, -1, 0)
        assert ((red > 180) & (green < 60) & (blue < 60)).sum() > 10, "the goal"
        assert ((red > 150) & (green > 60) & (blue < 60)).sum() > 200, "the hook"
        assert ((blue > 90) & (red < 60) & (green < 110)).sum() > 10, "the object"
    assert not np.array_equal(*frames)


def test_merging_bodies_that_stand_still_changes_nothing_that_moves() -> None:
    merged, apart = hook_spec("lean"), hook_spec("lean")
    apart.compiler.fusestatic = False
    ends = []
    for spec in (merged, apart):
        model = spec.compile()
        hold_weld_at_gripper(model)
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = settle().state(model)
        mujoco.mj_forward(model, data)
        data.mocap_pos[0] = np.add(data.body("robot0:gripper_link").xpos, (0.03, -0.05, -0.02))
        data.mocap_quat[0] = data.body("robot0:gripper_link").xquat
        mujoco.mj_step(model, data, nstep=100)
        ends.append((model.nbody, data.qpos.copy()))
    assert ends[0][0] < ends[1][0]
    assert_allclose(ends[0][1], ends[1][1], atol=1e-6)
