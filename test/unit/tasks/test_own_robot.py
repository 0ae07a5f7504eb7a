"""What a task may be made of: models from anywhere, setups, keyframes, files outside the package."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.parameters.node_tables import node_table
from polo_ros.parameters.schema import parameter
from polo_ros.parameters.settings import settings_for
from polo_ros.tasks import RewardTerm, Task, View, make_task, task_class
from polo_ros.tasks.building import require
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup
from test.support.quadruped import HOME, QUADRUPED, Trot, quadruped

TASK_FILE = """
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup


class Mine(CartpoleSwingup):
    name = "mine"
    summary = "A task in a file."
    model_source = "robot.xml"
"""


@dataclass(frozen=True)
class Robot:
    """Which robot it is."""

    trunk: str = parameter("trunk", "Name of the trunk.")
    stiffness: float = parameter(100.0, "Stiffness of the servos, in N·m/rad.", low=1.0, high=500.0)


class AnyTrot(Trot):
    """A trot whose robot is described by parameters."""

    name: ClassVar[str] = "any_trot"
    setup_type: ClassVar[type] = Robot

    def build(self, spec: mujoco.MjSpec) -> None:
        require("body", self.setup.trunk, (body.name for body in spec.bodies))
        super().build(spec)


def test_a_model_comes_from_a_path_or_a_function(tmp_path: Path) -> None:
    path = tmp_path / "robot.xml"
    path.write_text(QUADRUPED)

    class FromPath(Trot):
        model_source = path

    assert FromPath().model_hash() == Trot().model_hash() == Trot(path).model_hash()
    assert path.read_text() == QUADRUPED


def test_a_function_that_gives_no_spec_is_refused() -> None:
    class Compiled(Trot):
        model_source = staticmethod(lambda: quadruped().compile())

    with pytest.raises(PoloError, match=r"the function for the model returns a mujoco\.MjSpec, not MjModel"):
        Compiled()


def test_a_robot_description_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "robot_descriptions", None)
    with pytest.raises(PoloError, match=r"needs the package robot_descriptions, .*'polo_ros\[robots\]'"):
        Trot("anymal_c_mj_description")


@pytest.fixture
def descriptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that offers descriptions as robot_descriptions does, without its downloads."""
    folder = tmp_path / "robot_descriptions"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "robot.xml").write_text(QUADRUPED)
    (folder / "quad_mj_description.py").write_text(f"MJCF_PATH = {str(folder / 'robot.xml')!r}\n")
    (folder / "lost_mj_description.py").write_text("raise OSError('no network')\n")
    (folder / "quad_description.py").write_text("URDF_PATH = 'robot.urdf'\n")
    for name in [name for name in sys.modules if name.startswith("robot_descriptions")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("robot_descriptions")]:
        del sys.modules[name]


@pytest.mark.usefixtures("descriptions")
def test_a_model_comes_from_a_robot_description() -> None:
    assert Trot("quad_mj_description").model_hash() == Trot().model_hash()
    with pytest.raises(PoloError, match=r"no MJCF named 'qad_mj_description'; did you mean quad_mj_desc"):
        Trot("qad_mj_description")
    with pytest.raises(PoloError, match=r"no MJCF named 'quad_description'; did you mean quad_mj_desc"):
        Trot("quad_description")
    with pytest.raises(PoloError, match=r"could not provide 'lost_mj_description' \(no network\)"):
        Trot("lost_mj_description")


def test_home_gives_start_states_and_the_neutral_control() -> None:
    class Shaken(Trot):
        start_noise: ClassVar[float] = 0.05

    task = Shaken()
    nq = task.model.nq
    assert task.neutral.tolist() == HOME[7:]
    np.testing.assert_array_equal(Trot().start_state(np.random.default_rng(0))[:nq], HOME)
    starts = np.array([task.start_state(np.random.default_rng(seed))[:nq] for seed in range(20)])
    np.testing.assert_array_equal(starts[:, :7], np.tile(HOME[:7], (20, 1)))
    moved = np.abs(starts[:, 7:] - HOME[7:])
    assert 0.03 < moved.max() <= 0.05


def test_the_controls_of_a_keyframe_come_first() -> None:
    def with_controls() -> mujoco.MjSpec:
        spec = quadruped()
        spec.key("home").ctrl = [0.1] * 4 + [-0.5] * 4
        return spec

    class Given(Trot):
        model_source = with_controls

    # clipped to the joints' ranges: hip and knee in turn
    assert Given().neutral.tolist() == [0.1, -0.1, 0.1, -0.1, -0.5, -0.5, -0.5, -0.5]


def test_a_missing_keyframe_is_named() -> None:
    class Lost(Trot):
        home: ClassVar[str] = "hoome"

    with pytest.raises(
        PoloError, match=r"does not fit task trot: the model has no keyframe 'hoome'; did you"
    ):
        Lost()


def test_a_missing_body_is_named_with_the_task() -> None:
    with pytest.raises(
        PoloError, match=r"quadruped does not fit task any_trot: .* no body named 'trnk'; did you mean trunk"
    ):
        AnyTrot(setup=Robot(trunk="trnk"))


@pytest.mark.parametrize("name", ["name", "summary", "model_source", "terms", "features", "trace_sensor"])
def test_a_class_that_lacks_an_attribute_is_refused(name: str) -> None:
    attributes = {key: value for key, value in vars(CartpoleSwingup).items() if key != name}
    incomplete = type("Incomplete", (Task,), attributes)
    with pytest.raises(PoloError, match=f"class Incomplete has no '{name}'; a task's class sets it to "):
        incomplete()


@pytest.mark.parametrize("name", ["name", "terms"])
def test_a_task_in_a_file_that_lacks_an_attribute_is_refused(name: str, tmp_path: Path) -> None:
    """Its parameters are made of its class, before there is a task."""
    text = (Path(__file__).parents[3] / "examples" / "my_task.py").read_text()
    file = tmp_path / f"no_{name}.py"
    file.write_text(f"{text}\n\ndel Pendulum.{name}\n")
    with pytest.raises(PoloError, match=f"class Pendulum has no '{name}'; a task's class sets it to "):
        settings_for(str(file))


def test_a_misspelt_reward_term_is_named() -> None:
    class Misspelt(Trot):
        terms: ClassVar[tuple[RewardTerm, ...]] = (RewardTerm("velocty", -1.0, -5.0, 0.0, "Misspelt."),)

    with pytest.raises(PoloError, match=r"reward_terms returns no 'velocty'.*; did you mean velocity\?"):
        Misspelt()


@pytest.mark.parametrize("name", ["noise_scale", "rate_limits"])
@pytest.mark.parametrize("value", [np.ones(3), np.zeros(8)])
def test_scales_and_limits_that_do_not_fit_are_refused(name: str, value: Array) -> None:
    wrong = type("Wrong", (Trot,), {name: property(lambda _: value)})
    with pytest.raises(PoloError, match=f"{name} must be 8 numbers above zero, one for each actuator"):
        wrong()


def test_a_setup_is_a_table_of_fixed_parameters() -> None:
    for node in ("planner_node", "learner_node", "simulator_node", "viewer_node"):
        rows = {row.name: row for row in node_table(node, AnyTrot)}
        assert rows["setup.trunk"].default == "trunk" and not rows["setup.trunk"].dynamic
        assert rows["setup.stiffness"].high == 500.0


def test_a_setup_reaches_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polo_ros.tasks.registry.task_class", lambda _: AnyTrot)
    assert make_task("any_trot", setup={"stiffness": 50.0}).setup == Robot(stiffness=50.0)
    with pytest.raises(PoloError, match="unknown parameter stifness"):
        make_task("any_trot", setup={"stifness": 50.0})


def test_a_task_without_further_methods_never_ends_and_measures_its_reward() -> None:
    task = Trot()
    view: View = task.observe(np.tile(task.start_state(np.random.default_rng(0)), (3, 1)))
    assert not task.achieved(view).any()
    np.testing.assert_array_equal(task.measured(view), task.reward(view))


def task_file(folder: Path, text: str = TASK_FILE, name: str = "mine.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_task_in_a_file_finds_its_model_beside_it(tmp_path: Path) -> None:
    file = task_file(tmp_path)
    cartpole = make_task("cartpole_swingup")
    model = Path(__file__).parents[3] / "models" / "cartpole.xml"
    (tmp_path / "robot.xml").write_text(model.read_text().replace('gear="10"', 'gear="20"'))
    task = make_task(file)
    assert task.name == "mine" and task.model.actuator_gear[0, 0] == 2 * cartpole.model.actuator_gear[0, 0]
    assert task_class(file) is task_class(file)


def test_files_of_one_name_in_two_folders_are_two_tasks(tmp_path: Path) -> None:
    first = task_class(task_file(tmp_path / "a"))
    second = task_class(task_file(tmp_path / "b", TASK_FILE.replace("Mine", "Other")))
    assert (first.__name__, second.__name__) == ("Mine", "Other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "must define one task class with all its methods; it has none"),
        (TASK_FILE + TASK_FILE.replace("Mine", "Other"), "it has Mine, Other"),
        ("import missing_module", r"failed to import: ModuleNotFoundError: .* \(mine\.py, line 1\)"),
        ("def f(:", r"failed to import: SyntaxError"),
        ("import sys; sys.exit(3)", r"failed to import: SystemExit: 3 \(mine\.py, line 1\)"),
    ],
)
def test_a_task_file_that_holds_no_task_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=message):
        task_class(task_file(tmp_path, text))
    with pytest.raises(PoloError, match=r"there is no task file .*absent\.py"):
        task_class(str(tmp_path / "absent.py"))


def test_a_misspelt_task_is_refused_with_what_was_meant() -> None:
    with pytest.raises(PoloError, match=r"there is no task 'humanoid_gettup'; did you mean humanoid_getup\?"):
        task_class("humanoid_gettup")
