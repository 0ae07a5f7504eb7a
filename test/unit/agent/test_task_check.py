"""`polo check` and `polo new-task`: what they find, and that what they write runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np
import pytest

from polo_ros.agent.tables import table_lines
from polo_ros.agent.task_states import TaskStates
from polo_ros.agent.task_warnings import task_warnings
from polo_ros.arrays import Array
from polo_ros.cli import main
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.learner.config import LearnerConfig
from polo_ros.parameters.node_tables import LearnerNodeConfig
from polo_ros.parameters.settings import Settings
from polo_ros.planner import PlannerConfig
from polo_ros.tasks import RewardTerm, Task, View
from polo_ros.tasks.actuators import to_motors
from test.support.quadruped import HOME, QUADRUPED, Trot

ARM = """
<mujoco model="arm">
  <option timestep="0.01"/>
  <worldbody>
    <body name="upper"><joint name="shoulder" axis="0 1 0" range="-90 90" armature="0.1"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.03"/>
      <body name="lower" pos="0.3 0 0"><joint name="elbow" axis="0 1 0" range="-60 60" armature="0.1"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.03"/></body></body>
  </worldbody>
</mujoco>
"""
MODELS = {"arm": ARM, "quadruped": QUADRUPED, "no_keyframe": QUADRUPED.split("<keyframe>")[0] + "</mujoco>"}
EVALUATE = ("--seeds", "1", "--steps", "3", "-p", "horizon:=4", "-p", "rollouts:=6", "-p", "threads:=1")
SMALL = PlannerConfig(horizon=8, rollouts=12)


def settings(task: Task, planner: PlannerConfig = SMALL) -> Settings:
    nodes = PlannerNodeConfig(threads=1), LearnerNodeConfig()
    return Settings(task, planner, LearnerConfig(), *nodes, dict(task.weights))


def warnings_of(task: Task, planner: PlannerConfig = SMALL) -> list[str]:
    made = settings(task, planner)
    return task_warnings(made, TaskStates.of(made))


def built(change: Callable[[mujoco.MjSpec], Any], **members: Any) -> Task:
    """A trot whose model is changed further."""

    class Changed(Trot):
        def build(self, spec: mujoco.MjSpec) -> None:
            super().build(spec)
            change(spec)

    for name, value in members.items():
        setattr(Changed, name, value)
    return Changed()


def lowered(spec: mujoco.MjSpec) -> None:
    qpos = np.array(HOME)
    qpos[2] -= 0.05
    spec.key("home").qpos = qpos


def inertial(spec: mujoco.MjSpec) -> None:
    spec.add_sensor(
        name="turned",
        type=mujoco.mjtSensor.mjSENS_FRAMEQUAT,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        objname="trunk",
    )


def unlimited(spec: mujoco.MjSpec) -> None:
    spec.joint("FL_hip").limited = mujoco.mjtLimited.mjLIMITED_FALSE
    spec.actuator("FR_hip").forcelimited = mujoco.mjtLimited.mjLIMITED_FALSE


def spinning(spec: mujoco.MjSpec) -> None:
    spec.actuator("RL_hip").set_to_velocity(kv=1.0)


def crossed(spec: mujoco.MjSpec) -> None:
    spec.body("FR_thigh").pos = spec.body("FL_thigh").pos


def test_a_sound_task_has_no_warnings() -> None:
    gentle = PlannerConfig(horizon=8, rollouts=12, noise_sigma=0.05)
    assert warnings_of(Trot(), gentle) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (inertial, "sensor 'turned' reads the inertial frame of body 'trunk', which is turned by"),
        (lowered, "in the start state FL_shank and world overlap by"),
        (crossed, "in the start state FL_shank and FR_shank overlap by"),
        (unlimited, "joint 'FL_hip' has no limits"),
        (unlimited, "servo 'FR_hip' has no limit of its effort"),
        (spinning, "actuator 'RL_hip' is neither a motor nor a position servo"),
        (to_motors, "within 1 s of the neutral control 'trunk' turns by"),
    ],
)
def test_what_is_wrong_with_a_model_is_named(change: Callable[[mujoco.MjSpec], Any], expected: str) -> None:
    assert any(sentence.startswith(expected) for sentence in warnings_of(built(change)))


def test_noise_beyond_the_efforts_is_named_with_both() -> None:
    wide = PlannerConfig(horizon=8, rollouts=12, noise_sigma=0.5)
    (sentence,) = [one for one in warnings_of(Trot(), wide) if "'RL_hip'" in one]
    # half the range of 2 rad times 0.5 at 100 N·m/rad
    assert sentence.startswith("noise of 0.50 rad asks servo 'RL_hip' for 50 N·m of its 20")


class Lopsided(Trot):
    """One term says all, one nothing, and one is not listed."""

    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("velocity", -1.0, -5.0, 0.0, "Distance from the wanted velocity."),
        RewardTerm("feet", -0.0001, -50.0, 0.0, "Distances of the feet."),
        RewardTerm("nothing", 1.0, 0.0, 1.0, "Nothing."),
    )

    def reward_terms(self, view: View) -> dict[str, Array]:
        zero = np.zeros(view.sensordata.shape[:-1])
        return {**super().reward_terms(view), "nothing": zero, "unlisted": zero}


def test_terms_out_of_proportion_are_named() -> None:
    found = warnings_of(Lopsided())
    assert any(one.startswith("reward term 'velocity' outweighs all others: 100 %") for one in found)
    assert "reward term 'nothing' is zero in all sampled states" in found
    assert any(one.startswith("reward_terms returns 'unlisted', which terms does not list") for one in found)


def test_shares_add_up() -> None:
    shares = TaskStates.of(settings(Trot())).shares()
    assert np.sum(list(shares.values()), axis=0) == pytest.approx([1.0, 1.0])


def test_a_table_is_aligned() -> None:
    assert table_lines([("a", "1"), ("long", "2")], ("name", "n")) == ["name  n", "a     1", "long  2"]
    assert table_lines([], ("name", "n")) == []


@pytest.mark.parametrize("name", MODELS)
def test_a_new_task_is_checked_and_evaluated_as_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "robot.xml").write_text(MODELS[name])
    assert main(["new-task", "my_robot", "--model", "models/robot.xml", "--out", "mine"]) == 0
    assert (
        capsys.readouterr().out == "mine/my_robot.py\nmine/my_robot.yaml\nnext: polo check mine/my_robot.py\n"
    )
    assert max(map(len, (tmp_path / "mine" / "my_robot.py").read_text().splitlines())) < 140
    assert (
        main(["check", "mine/my_robot.py", "-p", "horizon:=8", "-p", "rollouts:=8", "-p", "threads:=1"]) == 0
    )
    report = capsys.readouterr().out
    for title in ("Model", "Actuators", "Sensors", "Value features", "Reward terms", "Cost on this machine"):
        assert f"\n{title}\n" in report
    assert "turns by" not in report and "overlap" not in report, report
    assert main(["evaluate", "mine/my_robot.py", *EVALUATE]) == 0
    assert "my_robot: " in capsys.readouterr().out
    assert (tmp_path / "runs" / "my_robot-evaluation" / "evaluation.csv").is_file()


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("My-Robot", "robot.xml", "'My-Robot' cannot be a task's name; use small letters"),
        ("mine", "absent.xml", "there is no MJCF file absent.xml"),
        ("taken", "robot.xml", "taken.py exists; give another name or --out, or remove it"),
        ("mine", "stone.xml", "stone.xml has no hinge or slide joint"),
    ],
)
def test_a_task_that_cannot_be_made_is_refused(
    name: str,
    model: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "robot.xml").write_text(ARM)
    (tmp_path / "taken.py").write_text("")
    (tmp_path / "stone.xml").write_text(
        "<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>"
    )
    assert main(["new-task", name, "--model", model]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / f"{name}.yaml").exists()
