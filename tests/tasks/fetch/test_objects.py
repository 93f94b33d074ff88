"""The object library, a user's folder of meshes, and switching objects without recompiling."""

from collections import Counter
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from rpl.tasks import COMPLEX_HOOK, HookTask
from rpl.tasks.fetch.arm import hold_weld_at_gripper
from rpl.tasks.fetch.hook import BUMPS, hook_scene
from rpl.tasks.fetch.meshes import Mesh, MeshError
from rpl.tasks.fetch.objects import LIBRARY_FILE, choose_objects, library
from rpl.tasks.fetch.redraw import _compile_alone
from tools.objects.library import as_arrays, make_library
from tools.objects.solids import ball, box, cylinder, lathe, prism, star, tube

LEAN = replace(COMPLEX_HOOK, physics="lean")


def volume(mesh: Mesh) -> float:
    """Signed: positive only if the triangles look outwards, exact only if the mesh is closed."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c))) / 6


def write_obj(path, mesh: Mesh) -> None:
    lines = [f"v {x} {y} {z}" for x, y, z in mesh.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
    path.write_text("\n".join(lines) + "\n")


SOLIDS = {
    "box": (box(1, 2, 3), 6.0),
    "cylinder of 16 sides": (cylinder(1.0, 2.0), 16 * np.sin(np.pi / 8)),
    "cone": (cylinder(1.0, 3.0, top=0.0), 8 * np.sin(np.pi / 8)),
    "prism": (prism([(0, 0), (1, 0), (0, 1)], 2.0), 1.0),
    "star of a square": (star(2, 1.0, 1.0, 3.0), 6.0),
    "straight tube": (tube([(0, 0, 0), (0, 0, 1), (0, 0, 2)], 0.5), 2 * np.sqrt(2) * 0.5),
    "vessel": (
        lathe([(0, 0), (2, 0), (2, 2), (1, 2), (1, 1), (0, 1)], segments=4),
        2 * (4 * 2 - 1),
    ),
}


@pytest.mark.parametrize("solid", SOLIDS)
def test_solids_are_closed_and_face_outwards(solid) -> None:
    mesh, expected = SOLIDS[solid]
    assert volume(mesh) == pytest.approx(expected)
    edges = Counter((f[i - 1], f[i]) for f in mesh.faces.tolist() for i in range(3))
    assert all(edges[b, a] == count for (a, b), count in edges.items())


def test_moves_keep_the_shape() -> None:
    solid = ball(1.0, 2.0, 0.5) + box(1, 1, 4).move(x=3)
    moved = solid.turn("x", 40).move(1, 2, 3).scale(2, 1, 1)
    assert volume(moved) == pytest.approx(2 * volume(solid))
    np.testing.assert_allclose(solid.size, (4.5, 4.0, 4.5))


def test_the_library_is_large_and_varied() -> None:
    objects = library()
    assert len(objects) == len({o.name for o in objects}) >= 112
    assert len({o.category for o in objects}) >= 28
    assert sum(not o.held_out for o in objects) == 100


def test_the_library_is_stored_as_its_generator_makes_it_and_read_as_it_is_stored() -> None:
    with np.load(LIBRARY_FILE, allow_pickle=False) as file:
        stored = dict(file)
    made, read = as_arrays(make_library()), as_arrays(library())
    assert stored.keys() == made.keys() == read.keys()
    for name, values in stored.items():
        assert values.dtype == made[name].dtype == read[name].dtype, name
        np.testing.assert_array_equal(read[name], values, err_msg=name)
        if values.dtype.kind == "f":  # another processor may round a sine otherwise
            np.testing.assert_allclose(made[name], values, rtol=0, atol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(made[name], values, err_msg=name)


def test_sizes_masses_friction_and_damping_spread_as_published() -> None:
    longest = np.array([o.mesh.size.max() for o in library()])
    assert 0.05 < longest.min() < 0.07
    assert 0.11 < longest.max() < 0.137 * np.sqrt(2)
    assert 0.08 < np.median(longest) < 0.1
    for split in ("training", "held-out"):
        objects = choose_objects("library", split)
        mass = [o.mass for o in objects]
        assert min(mass) < 0.05
        assert max(mass) > 1.4
        assert np.median(mass) == pytest.approx(0.25, rel=0.2)
        assert np.mean([o.damping for o in objects]) == pytest.approx(2.6, rel=0.02)
        friction = [o.friction for o in objects]
        assert min(friction) < 0.2
        assert max(friction) > 3.9


def test_every_object_is_a_solid_that_looks_outwards() -> None:
    for rigid in library():
        hull = ConvexHull(rigid.mesh.vertices).volume
        assert 0.05 * hull < volume(rigid.mesh), rigid.name
        middle = (rigid.mesh.vertices.min(axis=0) + rigid.mesh.vertices.max(axis=0)) / 2
        np.testing.assert_allclose(middle, 3e-4, atol=1e-9)


def test_held_out_objects_are_kept_from_training_with_whole_kinds_among_them() -> None:
    training, held_out = (
        choose_objects("library", "training"),
        choose_objects("library", "held-out"),
    )
    assert not {o.name for o in training} & {o.name for o in held_out}
    assert len(training) + len(held_out) == len(choose_objects("library", "all"))
    unseen = {o.category for o in held_out} - {o.category for o in training}
    assert len(unseen) == 4
    assert {o.category for o in held_out} > unseen


def test_an_objects_numbers_arrive_in_the_scene() -> None:
    rigid = library()[7]
    model = _compile_alone(rigid, np.array((0, 0, 0, 1.0, 0, 0, 0)))
    assert model.body_mass[1] == pytest.approx(rigid.mass)
    assert model.geom_friction[0, 0] == rigid.friction
    assert model.dof_damping.tolist() == [rigid.damping] * 6
    assert not model.body_simple[1], "arrays of a simple body have other sizes"


def test_each_simulation_is_bit_for_bit_its_own_compiled_scene() -> None:
    task = HookTask(2, LEAN, num_threads=1)
    task.reset(seed=5)
    integration = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    worlds = []
    for i, state in enumerate(task.simulator_state()):
        generator = np.random.default_rng(5 + i)
        index = int(generator.integers(len(task.objects)))
        assert task.objects[index] == task.episode_object(5 + i)
        model = hook_scene("lean", task.objects, index, BUMPS.draw(generator))
        hold_weld_at_gripper(model)
        assert_same_constants(model, task.batch.get_model(i))
        data = mujoco.MjData(model)
        mujoco.mj_setState(model, data, state, integration)
        worlds.append((model, data))
    for action in np.random.default_rng(0).uniform(-1, 1, (12, 2, 4)):
        action[:, 2] = -1.0
        task._apply_action(action)
        for i, (model, data) in enumerate(worlds):
            data.ctrl[:] = task._control[i]
            data.mocap_pos[:], data.mocap_quat[:] = task._mocap_pos[i], task._mocap_quat[i]
            mujoco.mj_step(model, data, nstep=20)
        task.batch.step(nstep=20)
        for i, (_, data) in enumerate(worlds):
            np.testing.assert_array_equal(task._qpos[i], data.qpos)
    task.close()


def assert_same_constants(expected: mujoco.MjModel, model: mujoco.MjModel) -> None:
    """All arrays agree, but for the mass of the world and what only pictures need."""
    pictures = ("light_poscom0", "cam_poscom0")
    for name in dir(expected):
        value = getattr(expected, name)
        if name.startswith("_") or not isinstance(value, np.ndarray) or name in pictures:
            continue
        other = getattr(model, name)
        start = 1 if name == "body_subtreemass" else 0
        np.testing.assert_array_equal(other[start:], value[start:], err_msg=name)


def test_episodes_differ_in_objects_and_bumps_and_repeat_with_their_seed() -> None:
    task = HookTask(8, LEAN, num_threads=1)
    task.reset(seed=0)
    objects, bumps = task.object_index.copy(), task.batch.expand("geom_size").copy()
    assert len(set(objects)) > 3
    others = np.arange(8) >= 2
    task.reset(seed=100, options={"reset_mask": ~others})
    assert not np.array_equal(task.batch.expand("geom_size")[0], bumps[0])
    np.testing.assert_array_equal(task.batch.expand("geom_size")[others], bumps[others])
    task.reset(seed=0)
    np.testing.assert_array_equal(task.object_index, objects)
    np.testing.assert_array_equal(task.batch.expand("geom_size"), bumps)
    task.close()


def test_bumps_stay_within_their_bounds_and_unused_ones_below_the_table() -> None:
    counts = set()
    for seed in range(200):
        positions, half_sizes = BUMPS.draw(np.random.default_rng(seed))
        used = positions[:, 2] > BUMPS.centre[2]
        counts.add(int(used.sum()))
        tops = positions[:, 2] + half_sizes[:, 2]
        assert (tops[~used] < BUMPS.centre[2]).all()
        np.testing.assert_allclose((positions - half_sizes)[used, 2], BUMPS.centre[2])
        assert (np.abs(positions - BUMPS.centre)[:, :2] <= BUMPS.reach).all()
        assert ((half_sizes >= BUMPS.smallest) & (half_sizes <= BUMPS.largest)).all()
    assert counts == set(range(5, 16))


def test_a_folder_of_meshes_replaces_the_library(tmp_path) -> None:
    (tmp_path / "cups").mkdir()
    for i in range(4):
        write_obj(tmp_path / f"brick-{i}.obj", box(1 + i, 20, 30))
    write_obj(tmp_path / "cups" / "tall.obj", cylinder(100.0, 50.0).move(x=500))
    objects = choose_objects(str(tmp_path), "all")
    assert [o.category for o in objects] == ["brick"] * 4 + ["cups"]
    assert [o.held_out for o in objects].count(True) == 1
    for rigid in objects:
        assert 0.03 < rigid.mesh.size.max() < 0.2, "scaled to the sizes of the task"
        np.testing.assert_allclose(rigid.mesh.vertices.mean(axis=0), 3e-4, atol=1e-6)
    # Read back upright: MuJoCo turns meshes into the frame of their inertia.
    assert objects[-1].mesh.size[2] == pytest.approx(objects[-1].mesh.size[0] / 4, rel=0.05)
    task = HookTask(2, replace(LEAN, objects=str(tmp_path)), num_threads=1)
    seen, _ = task.reset(seed=0)
    assert np.isfinite(seen["observation"]).all()
    task.close()


def test_a_mesh_that_cannot_be_used_is_named(tmp_path) -> None:
    path = tmp_path / "sheet.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(MeshError, match=r"sheet\.obj cannot be used as an object: .+"):
        choose_objects(str(tmp_path), "all")
    path.unlink()
    (tmp_path / "broken.stl").write_bytes(b"not a mesh")
    with pytest.raises(MeshError, match=r"broken\.stl cannot be used as an object: .+"):
        choose_objects(str(tmp_path), "all")


def test_an_empty_folder_and_one_too_small_to_split_say_so(tmp_path) -> None:
    with pytest.raises(MeshError, match=r"holds no \.stl or \.obj files"):
        choose_objects(str(tmp_path), "all")
    write_obj(tmp_path / "one.obj", box(1, 2, 3))
    with pytest.raises(MeshError, match="too few to hold out"):
        choose_objects(str(tmp_path), "held-out")
