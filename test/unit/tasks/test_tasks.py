"""The registry of tasks and what every task is held to."""

import re
from pathlib import Path

import mujoco
import numpy as np
import pytest

from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.tasks import Task, make_task, task_class, task_classes
from polo_ros.tasks.state import clock_entry, set_state

CARTPOLE = share_path("models", "cartpole.xml").read_text()

OTHER_PACKAGE = """
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup


class Balance(CartpoleSwingup):
    name = "other_balance"
    summary = "A task of another package."

    def start(self, data, rng):
        data.qpos[:] = 0.0
"""


def model_file(folder: Path, *changes: tuple[str, str]) -> Path:
    """The cart-pole's MJCF with patterns replaced."""
    text = CARTPOLE
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text)
        assert count, f"{pattern} is not in the model"
    path = folder / "model.xml"
    path.write_text(text)
    return path


def install(folder: Path, entry: str, source: str = OTHER_PACKAGE) -> None:
    """A package in a folder, as pip would leave it there."""
    (folder / "other_package.py").write_text(source)
    info = folder / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[polo_ros.tasks]\n{entry}\n")


def test_own_tasks_are_found() -> None:
    assert {"cartpole_swingup", "humanoid_getup", "humanoid_getup_sparse"} <= set(task_classes())
    assert list(task_classes()) == sorted(task_classes())
    for name, cls in task_classes().items():
        assert cls.name == name and cls.summary.endswith(".")


def test_another_package_adds_a_task_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "other_balance = other_package:Balance")
    assert "other_balance" not in task_classes()
    monkeypatch.syspath_prepend(tmp_path)
    task = make_task("other_balance")
    assert type(task).__module__ == "other_package"
    np.testing.assert_array_equal(task.start_state(np.random.default_rng(0)), np.zeros(task.state_size))
    assert "cartpole_swingup" in task_classes()


@pytest.mark.parametrize("target", ["missing_package:Balance", "other_package:Absent"])
def test_a_broken_entry_point_is_named(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, f"other_balance = {target}")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PoloError, match=rf"task 'other_balance' \({target}\) could not be loaded"):
        task_classes()


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PoloError, match=r"there is no task 'fly'; known are .*humanoid_getup"):
        make_task("fly")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=r"there is no MJCF file .*absent\.xml"):
        make_task("cartpole_swingup", tmp_path / "absent.xml")
    with pytest.raises(PoloError, match="there is no MJCF file"):
        make_task("cartpole_swingup", tmp_path)


@pytest.mark.parametrize(
    "text", ["", "not xml", "<mujoco", "<robot name='urdf?'><joint/></robot>", CARTPOLE[:900]]
)
def test_a_broken_model_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.xml"
    path.write_text(text)
    with pytest.raises(PoloError, match=r"broken\.xml is not a valid MJCF model: \S") as caught:
        make_task("cartpole_swingup", path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sensor", ["cart_position", "cart_velocity", "pole_axis", "pole_velocity", "tip_position"]
)
def test_a_model_without_a_needed_sensor_is_refused(sensor: str, tmp_path: Path) -> None:
    path = model_file(tmp_path, (f'<[a-z]+ name="{sensor}"[^>]*/>', ""))
    with pytest.raises(PoloError, match=f"does not fit task cartpole_swingup: .*sensor named '{sensor}'"):
        make_task("cartpole_swingup", path)


def test_a_sensor_of_another_size_is_refused(tmp_path: Path) -> None:
    path = model_file(tmp_path, ('<jointvel name="cart_velocity" joint="slider"/>',
                                 '<subtreelinvel name="cart_velocity" body="cart"/>'))  # fmt: skip
    with pytest.raises(PoloError, match="value_features gives 7 numbers, features lists 5"):
        make_task("cartpole_swingup", path)


def test_a_humanoid_task_refuses_a_model_without_its_keyframe(tmp_path: Path) -> None:
    text = share_path("models", "humanoid.xml").read_text()
    path = tmp_path / "model.xml"
    path.write_text(text.replace('key name="supine"', 'key name="prone"'))
    with pytest.raises(PoloError, match=r"does not fit task humanoid_getup: .*supine"):
        make_task("humanoid_getup", path)


def test_an_actuator_without_a_range_is_named(tmp_path: Path) -> None:
    path = model_file(tmp_path, (' ctrlrange="-1 1"', ""))
    with pytest.raises(PoloError, match=r"actuator 'slider' of .* has no ctrlrange"):
        make_task("cartpole_swingup", path)


def test_torque_scale_scales_every_gear_and_nothing_else() -> None:
    whole, fifth = make_task("humanoid_getup"), make_task("humanoid_getup", torque_scale=0.2)
    np.testing.assert_array_equal(fifth.model.actuator_gear, 0.2 * whole.model.actuator_gear)
    np.testing.assert_array_equal(fifth.control_high, whole.control_high)
    np.testing.assert_array_equal(fifth.model.body_mass, whole.model.body_mass)


def test_the_control_range_comes_from_the_model(tmp_path: Path) -> None:
    task = make_task("cartpole_swingup", model_file(tmp_path, ('ctrlrange="-1 1"', 'ctrlrange="-2 3"')))
    assert task.control_low.tolist() == [-2.0] and task.control_high.tolist() == [3.0]


def test_the_hash_ignores_comments_spaces_and_colours(tmp_path: Path) -> None:
    path = model_file(
        tmp_path,
        ("<!--.*?(?s:.)*?-->", "<!-- another comment -->"),
        (r"\n +", "\n\n\t"),
        ('rgba="0.20 0.42 0.62 1"', 'rgba="1 0 0 1"'),
    )
    assert make_task("cartpole_swingup", path).model_hash() == make_task("cartpole_swingup").model_hash()


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ('gear="10"', 'gear="11"'),
        ('mass="0.1"', 'mass="0.11"'),
        ('timestep="0.02"', 'timestep="0.01"'),
        ('ctrlrange="-1 1"', 'ctrlrange="-1 2"'),
        ('damping="0.05"', 'damping="0.06"'),
        ('name="hinge"( type="hinge" axis)="0 1 0"', r'name="hinge"\1="0 -1 0"'),
        ('range="-1.8 1.8"', 'range="-1.8 1.7"'),
        (
            'name="pole" type="capsule" fromto="0 0 0 0 0 1"',
            'name="pole" type="capsule" fromto="0 0 0 0 0 2"',
        ),
        ('body name="cart"', 'body name="car"'),
    ],
)
def test_the_hash_sees_what_the_value_function_depends_on(
    pattern: str, replacement: str, tmp_path: Path
) -> None:
    changed = make_task("cartpole_swingup", model_file(tmp_path, (pattern, replacement)))
    assert changed.model_hash() != make_task("cartpole_swingup").model_hash()


def test_the_hash_sees_torque_scale() -> None:
    hashes = {make_task("humanoid_getup", torque_scale=scale).model_hash() for scale in (1.0, 0.5, 0.2)}
    assert len(hashes) == 3


@pytest.fixture(params=sorted(task_classes()))
def task(request: pytest.FixtureRequest) -> Task:
    return make_task(request.param)


def random_states(task: Task, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """States along a simulation under random controls."""
    rng = np.random.default_rng(3)
    data = mujoco.MjData(task.model)
    task.start(data, rng)
    states = []
    for _ in range(count):
        data.ctrl[:] = rng.uniform(task.control_low, task.control_high)
        mujoco.mj_step(task.model, data)
        states.append(task.state_of(data))
    return np.array(states)


def test_whole_arrays_are_judged_as_single_states_are(task: Task) -> None:
    states = random_states(task, 6)
    controls = np.random.default_rng(4).uniform(task.control_low, task.control_high, (6, task.model.nu))
    view = task.observe(states.reshape(2, 3, -1), controls.reshape(2, 3, -1))
    assert task.reward(view).shape == (2, 3)
    assert task.value_features(view).shape == (2, 3, task.feature_count)
    assert task.achieved(view).shape == (2, 3)
    for row in range(6):
        alone = task.observe(states[row], controls[row])
        where = divmod(row, 3)
        np.testing.assert_allclose(task.reward(view)[where], task.reward(alone), rtol=1e-12)
        assert task.achieved(view)[where] == task.achieved(alone)
        np.testing.assert_array_equal(task.value_features(view)[where], task.value_features(alone))


def test_observing_equals_mj_forward_state_by_state(task: Task) -> None:
    states = random_states(task, 20)
    states[7, task.model.nq] = 1e12  # a state that MuJoCo would not step
    controls = np.random.default_rng(4).uniform(task.control_low, task.control_high, (20, task.model.nu))
    view = task.observe(states, controls)
    for state, ctrl, readings in zip(states, controls, view.sensordata, strict=True):
        data = mujoco.MjData(task.model)
        set_state(task.model, data, state)
        data.ctrl[:] = ctrl
        mujoco.mj_forward(task.model, data)
        np.testing.assert_array_equal(readings, data.sensordata)
    assert task.observe(states[:0]).sensordata.shape == (0, task.model.nsensordata)
    assert task.observe(states[0]).ctrl.tolist() == [0.0] * task.model.nu


def test_observing_follows_changes_of_the_model(cartpole: Task) -> None:
    state = random_states(cartpole, 1)[0]
    before = cartpole.observe(state).sensor("tip_position")
    cartpole.model.site_pos[:] *= 2.0
    assert (cartpole.observe(state).sensor("tip_position") != before).any()


def test_the_reward_is_the_weighted_sum_of_the_terms(task: Task) -> None:
    view = task.observe(random_states(task, 4), np.ones((4, task.model.nu)))
    terms = task.reward_terms(view)
    assert set(terms) == {term.name for term in task.terms} == set(task.weights)
    task.weights = {name: 0.5 + index for index, name in enumerate(task.weights)}
    expected = sum((0.5 + index) * terms[name] for index, name in enumerate(task.weights))
    np.testing.assert_allclose(task.reward(view), expected, rtol=1e-12)
    task.weights = dict.fromkeys(task.weights, 0.0)
    np.testing.assert_array_equal(task.reward(view), np.zeros(4))


def test_default_weights_lie_in_their_ranges(task: Task) -> None:
    for term in task.terms:
        assert term.low <= term.weight <= term.high


def test_start_states_are_seeded_and_differ(task: Task) -> None:
    rng = np.random.default_rng(5)
    first, second = task.start_state(rng), task.start_state(rng)
    np.testing.assert_array_equal(first, task.start_state(np.random.default_rng(5)))
    assert (first != second).any()
    assert not task.achieved(task.observe(first))


def test_a_flat_state_survives_the_round_trip(task: Task) -> None:
    state = random_states(task, 3)[-1]
    model, data = task.model, mujoco.MjData(task.model)
    numbers, clock = state, clock_entry(model)
    if clock is not None:
        data.time, numbers = state[clock], np.delete(state, clock)
    qpos, qvel, positions, quaternions = np.split(numbers, np.cumsum([model.nq, model.nv, 3 * model.nmocap]))
    data.qpos[:], data.qvel[:] = qpos, qvel
    data.mocap_pos[:], data.mocap_quat[:] = positions.reshape(-1, 3), quaternions.reshape(-1, 4)
    np.testing.assert_array_equal(task.state_of(data), state)


def test_an_unknown_sensor_is_named_with_the_known_ones(cartpole: Task) -> None:
    view = cartpole.observe(cartpole.start_state(np.random.default_rng(0)))
    with pytest.raises(PoloError, match=r"no sensor named 'lidar'.*cart_position, cart_velocity"):
        view.sensor("lidar")


def test_task_class_returns_the_class() -> None:
    assert task_class("cartpole_swingup").name == "cartpole_swingup"
