"""The package as colcon and pip install it: its files, executables and nodes."""

import signal
import subprocess
import time
from importlib.metadata import distributions
from pathlib import Path

import pytest
import rclpy
from domains import claim_domain
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from workspace import SOURCE

from polo_ros.tasks import task_classes

NODES = ("planner_node", "learner_node", "simulator_node", "viewer_node")
SHARED = ("config", "launch", "models")
TASK_LAUNCH_FILES = {f"launch/{name}.launch.py" for name in (*task_classes(), "fleet")}


def shared_files(top: Path) -> set[str]:
    """The files of the shared folders below `top`, relative to it."""
    paths = (path for folder in SHARED for path in (top / folder).rglob("*"))
    return {str(path.relative_to(top)) for path in paths if path.is_file() and path.suffix != ".pyc"}


def modules(top: Path) -> set[str]:
    """The Python files below `top`, and py.typed."""
    paths = [*top.rglob("*.py"), *top.rglob("py.typed")]
    return {str(path.relative_to(top)) for path in paths}


@pytest.fixture(params=["colcon", "pip"])
def folders(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Where the package's modules and its shared files are installed."""
    if request.param == "pip":
        target = request.getfixturevalue("pip_target")
        return target, target / "share"
    prefix = request.getfixturevalue("install") / "polo_ros"
    (library,) = (prefix / "lib").glob("python3*/*-packages")
    return library, prefix / "share"


def test_the_modules_of_the_package_are_installed_and_no_others(folders: tuple[Path, Path]) -> None:
    library, _ = folders
    installed = {path.name for path in library.iterdir() if path.suffix not in {".dist-info", ".egg-info"}}
    assert installed <= {"polo_ros", "share", "bin"}  # no experiments, benchmarks, examples or test
    assert modules(library / "polo_ros") == modules(SOURCE / "polo_ros")


def test_shared_files_and_a_launch_file_for_each_task_are_installed(folders: tuple[Path, Path]) -> None:
    _, share = folders
    assert shared_files(share / "polo_ros") == shared_files(SOURCE) | TASK_LAUNCH_FILES
    assert (share / "polo_ros" / "package.xml").is_file()
    assert (share / "ament_index" / "resource_index" / "packages" / "polo_ros").is_file()


def test_colcon_installs_the_executables_where_ros2_run_looks(install: Path) -> None:
    executables = {path.name for path in (install / "polo_ros" / "lib" / "polo_ros").iterdir()}
    assert executables == {*NODES, "polo"}


def test_every_entry_point_is_a_function_that_can_be_imported(pip_target: Path) -> None:
    (distribution,) = distributions(path=[str(pip_target)])
    scripts = distribution.entry_points.select(group="console_scripts")
    assert set(scripts.names) == {*NODES, "polo"}
    assert all(callable(script.load()) for script in scripts)


def test_installed_code_and_files_are_those_of_the_install_folder(
    install: Path, sourced: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import polo_ros; from polo_ros.files import share_path;"
        "print(polo_ros.__file__); print(share_path('models', 'cartpole.xml'))"
    )
    paths = subprocess.run(
        ["python3", "-c", code],
        env=sourced, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    ).stdout.split()  # fmt: skip
    assert len(paths) == 2
    assert all(Path(path).is_relative_to(install) for path in paths), paths


def test_an_installed_node_publishes_and_ends_cleanly(
    install: Path, sourced: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    domain, claim = claim_domain()
    executable = install / "polo_ros" / "lib" / "polo_ros" / "simulator_node"
    context = rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    listener = rclpy.create_node("listener", context=context)
    received: list[JointState] = []
    listener.create_subscription(JointState, "joint_states", received.append, 1)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    node = subprocess.Popen(
        [str(executable), "--ros-args", "-p", "task:=cartpole_swingup", "-p", "control_rate:=50.0"],
        env={**sourced, "ROS_DOMAIN_ID": str(domain)},
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60.0
        while not received and node.poll() is None and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
        node.send_signal(signal.SIGINT)
        output, _ = node.communicate(timeout=30)
    finally:
        node.kill()
        listener.destroy_node()
        rclpy.try_shutdown(context=context)
        claim.close()
    assert received, output
    assert sorted(received[0].name) == ["hinge", "slider"]
    assert node.returncode == 0, output
