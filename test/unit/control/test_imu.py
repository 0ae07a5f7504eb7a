"""An imu beside odometry: frames, heading, moments, and what is refused."""

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.control.base_rotation import heading_and_tilt
from polo_ros.control.command_limits import Measured
from polo_ros.control.config import SafetyParameters
from polo_ros.control.imu import ImuMounting
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.safety import SafetyGate
from polo_ros.control.state import Snapshot, StateAssembler
from polo_ros.errors import PoloError
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks import Task
from polo_ros.tasks.rotations import angle_between, multiply, random_rotation, rotation_matrix

MILLISECOND = 1_000_000
PERIOD_MS = 8
MOUNTED = """
<mujoco>
  <worldbody>
    <body name="trunk">
      <freejoint/>
      <geom size="0.1"/>
      <site name="imu" euler="90 0 0"/>
      <body name="mast"><geom size="0.1"/><site name="top" euler="0 0 90"/></body>
      <body name="leg"><joint name="knee"/><geom size="0.1"/><site name="shin"/></body>
    </body>
  </worldbody>
  <actuator><motor joint="knee"/></actuator>
</mujoco>
"""


def about_z(angle: float) -> Array:
    """A turn about the vertical by an angle in rad, (4,)."""
    return np.array([np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2)])


def mounting(frame: str = "") -> ImuMounting:
    model = mujoco.MjModel.from_xml_string(MOUNTED)
    base = JointMapping(model).base
    assert base is not None
    return ImuMounting(model, base, frame)


@pytest.mark.parametrize("frame", ["imu", "robot1/imu", "top", "mast", "trunk", "base_link", ""])
def test_an_imu_in_any_frame_of_the_base_gives_the_bases_rotation(frame: str) -> None:
    rng = np.random.default_rng(0)
    base, velocity = random_rotation(rng), rng.normal(size=3)
    half = np.sqrt(0.5)
    by_site = {"imu": np.array([half, half, 0, 0]), "top": np.array([half, 0, 0, half])}
    turn = by_site.get(frame.rpartition("/")[2], np.array([1.0, 0, 0, 0]))
    measured = multiply(base, turn), rotation_matrix(turn).T @ velocity
    by_parameter = mounting(frame).to_base(*measured, "elsewhere" if frame else "trunk")
    for found in (mounting().to_base(*measured, frame), by_parameter):
        assert angle_between(found[0], base) < 1e-9
        np.testing.assert_allclose(found[1], velocity, rtol=0, atol=1e-9)


@pytest.mark.parametrize("frame", ["shin", "camera"])
def test_a_frame_that_is_not_on_the_base_is_refused(frame: str) -> None:
    sentence = (
        f"imu is in frame '{frame}', which is no site or body on the base; set imu_frame to one of trunk"
    )
    with pytest.raises(PoloError, match=sentence):
        mounting().to_base(np.array([1.0, 0, 0, 0]), np.zeros(3), frame)
    with pytest.raises(PoloError, match=sentence):
        mounting(frame)


def test_a_robot_without_a_floating_base_has_no_imu(cartpole: Task) -> None:
    with pytest.raises(
        PoloError, match="use_imu needs a floating base; task cartpole_swingup's model has no"
    ):
        StateAssembler(cartpole, JointMapping(cartpole.model), lockstep=False, imu=True)


def test_heading_and_tilt_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    for angle in (-3.0, 0.0, 0.5, 3.0):
        imu = random_rotation(rng)
        heading, tilt = heading_and_tilt(multiply(about_z(angle), imu), imu)
        assert angle_between(heading, about_z(angle)) < 1e-9 and tilt < 1e-6
    level = np.array([1.0, 0, 0, 0])
    assert heading_and_tilt(level, np.array([np.cos(0.2), np.sin(0.2), 0, 0]))[1] == pytest.approx(0.4)
    assert heading_and_tilt(level, np.array([0.0, 1, 0, 0]))[1] == pytest.approx(np.pi)


class Moving:
    """A humanoid whose parts come at their own rates; it turns evenly about the vertical.

    Args:
      task: the humanoid's.
      heading: of the imu against the odometry's, in rad.
    """

    def __init__(self, task: Task, heading: float) -> None:
        self.states = StateAssembler(task, JointMapping(task.model), lockstep=False, imu=True)
        self._heading = heading

    def joints(self, moment: int) -> None:
        """Joints of a moment in ms arrive."""
        self.states.add_joints(np.full(21, 2e-3 * moment), np.full(21, 2.0), moment * MILLISECOND)

    def imu(self, moment: int) -> None:
        """The imu's message of a moment in ms arrives."""
        turned = about_z(1e-3 * moment + self._heading)
        self.states.add_imu(turned, np.array([0, 0, 1.0]), moment * MILLISECOND)

    def odometry(self, moment: int) -> None:
        """Odometry of a moment in ms arrives."""
        qpos = np.concatenate([[1e-3 * moment, 0, 1], about_z(1e-3 * moment)])
        self.states.add_odometry("odom", qpos, np.array([1.0, 0, 0, 0, 0, 1.0]), moment * MILLISECOND)

    def snapshot(self) -> Snapshot:
        found = self.states.snapshot()
        assert found is not None and found.progress == self.states.progress
        return found


@pytest.fixture
def moving(humanoid_getup: Task) -> Moving:
    """Joints at 500 Hz until 60 ms, imu at 200 Hz until 58 ms, odometry at 50 Hz, 20 ms late."""
    robot = Moving(humanoid_getup, heading=2.0)
    assert robot.states.missing() == ["joint_states", "odom", "imu"]
    for moment in range(61):
        if moment % 2 == 0:
            robot.joints(moment)
        if moment % 5 == 3:
            robot.imu(moment)
        if moment >= 20 and moment % 20 == 0:
            robot.odometry(moment - 20)
    return robot


def test_a_state_is_of_the_odometrys_moment_with_the_imus_rotation(moving: Moving) -> None:
    snapshot = moving.snapshot()
    assert snapshot.stamp == 40 * MILLISECOND
    expected = [0.04, 0, 1, *about_z(0.04), *[0.08] * 21, 1, 0, 0, 0, 0, 1, *[2.0] * 21]
    np.testing.assert_allclose(snapshot.state, expected, rtol=0, atol=1e-9)


def test_joints_and_rotation_of_later_are_known_and_position_is_not(moving: Moving) -> None:
    snapshot = moving.snapshot()
    assert snapshot.ahead == 2  # 56 ms; the imu has not reached 64 ms
    unknown, time = [np.nan] * 3, 0.056
    expected = [*unknown, *about_z(time), *[2 * time] * 21, *unknown, 0, 0, 1, *[2.0] * 21]
    np.testing.assert_allclose(snapshot.later, expected, rtol=0, atol=1e-9)


def test_the_state_makes_progress_between_two_odometry_messages(moving: Moving) -> None:
    before = moving.snapshot().progress
    moving.imu(63)
    moving.joints(64)
    assert moving.snapshot().progress == before
    moving.imu(68)
    assert moving.snapshot().progress == (before[0], before[1] + 1)


def test_an_imu_that_falls_behind_is_named(moving: Moving) -> None:
    moving.odometry(300)
    moving.joints(300)
    assert moving.states.snapshot() is None
    assert moving.states.apart() == "imu is 0.242 s behind joint_states, more than 0.2 s"


def test_an_imu_that_is_tilted_against_the_odometry_makes_no_state(moving: Moving) -> None:
    tilted = np.array([np.cos(0.25), np.sin(0.25), 0, 0])
    moving.states.add_imu(tilted, np.zeros(3), 60 * MILLISECOND)
    moving.odometry(60)
    assert moving.states.snapshot() is None
    assert (
        "imu and odom differ by 0.50 rad in tilt, more than 0.35 rad; set imu_frame" in moving.states.apart()
    )
    moving.imu(80)
    moving.odometry(80)
    moving.joints(80)
    assert moving.states.apart() == ""
    assert moving.snapshot().stamp == 80 * MILLISECOND


def test_a_prediction_passes_through_what_has_been_measured(humanoid_getup: Task) -> None:
    task = humanoid_getup
    planner = Planner(task, PlannerConfig(rollouts=8, horizon=4, noise_knots=2), seed=0, threads=1)
    gate = SafetyGate(task, JointMapping(task.model), True, SafetyParameters())
    follower = PlanFollower(planner, gate, PERIOD_MS * MILLISECOND)
    start = task.start_state(np.random.default_rng(0))
    measured = Measured(start[: task.model.nq], start[task.model.nq :], fresh=True)

    def predict(periods: int, ahead: int = 0, later: Array | None = None) -> Array:
        return follower.predict(Snapshot(start, 0, ahead, later), periods, measured)

    turned = np.full(task.state_size, np.nan)
    turned[3:7] = about_z(0.3)
    found, free = predict(2, 2, turned), predict(2)
    np.testing.assert_array_equal(found[3:7], about_z(0.3))
    np.testing.assert_array_equal(np.delete(found, range(3, 7)), np.delete(free, range(3, 7)))
    # what is measured agrees with the model: no difference
    np.testing.assert_array_equal(predict(4, 2, free), predict(4))
    # what comes after begins from what was measured
    assert not np.allclose(predict(3, 2, turned), predict(3))
    # nothing is measured within a shorter prediction
    np.testing.assert_array_equal(predict(1, 2, turned), predict(1))
