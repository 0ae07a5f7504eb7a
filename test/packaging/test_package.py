"""The package as colcon and pip install it, and the manifests that must agree."""

import ast
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
import rclpy
from domains import claim_domain
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from workspace import SOURCE, colcon_build, copy_source, sourced_environment

import polo_ros

NODES = ("planner_node", "learner_node", "simulator_node", "viewer_node")
SHARED = ("config", "launch", "models")
# a ROS domain of this process, so that runs side by side do not meet
DOMAIN, CLAIM = claim_domain()  # claimed as long as the file is open


def shared_files(top: Path) -> set[str]:
    """The files of the shared folders below `top`, relative to it."""
    paths = (path for folder in SHARED for path in (top / folder).rglob("*"))
    return {str(path.relative_to(top)) for path in paths if path.is_file() and path.suffix != ".pyc"}


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colcon_build(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def pip_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pip")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    target = folder / "target"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, f"--target={target}", str(copy_source(folder))],
        check=True,
        timeout=120,
    )
    return target


@pytest.fixture(scope="module")
def manifest() -> ET.Element:
    return ET.parse(SOURCE / "package.xml").getroot()


def test_colcon_installs_every_shared_file_in_its_sub_folder(install: Path) -> None:
    share = install / "polo_ros" / "share"
    assert shared_files(share / "polo_ros") == shared_files(SOURCE)
    assert (share / "polo_ros" / "package.xml").is_file()
    assert (share / "ament_index" / "resource_index" / "packages" / "polo_ros").is_file()


def test_pip_installs_every_shared_file_in_its_sub_folder(pip_target: Path) -> None:
    assert shared_files(pip_target / "share" / "polo_ros") == shared_files(SOURCE)


def test_colcon_installs_the_executables_where_ros2_run_looks(install: Path) -> None:
    executables = {path.name for path in (install / "polo_ros" / "lib" / "polo_ros").iterdir()}
    assert executables == {*NODES, "polo"}


def test_installed_code_and_files_are_those_of_the_install_folder(install: Path, tmp_path: Path) -> None:
    code = (
        "import polo_ros; from polo_ros.files import share_path;"
        "print(polo_ros.__file__); print(share_path('models', 'cartpole.xml'))"
    )
    paths = subprocess.run(
        ["python3", "-c", code],
        env=sourced_environment(install), cwd=tmp_path, capture_output=True, text=True, check=True,
        timeout=60,
    ).stdout.split()  # fmt: skip
    assert len(paths) == 2
    assert all(Path(path).is_relative_to(install) for path in paths), paths


def test_an_installed_node_publishes_and_ends_cleanly(
    install: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment = {**sourced_environment(install), "ROS_DOMAIN_ID": str(DOMAIN)}
    executable = install / "polo_ros" / "lib" / "polo_ros" / "simulator_node"
    context = rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=DOMAIN)
    listener = rclpy.create_node("listener", context=context)
    received: list[JointState] = []
    listener.create_subscription(JointState, "joint_states", received.append, 1)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    node = subprocess.Popen(
        [str(executable), "--ros-args", "-p", "task:=cartpole_swingup", "-p", "control_rate:=50.0"],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
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
    assert received, output
    assert sorted(received[0].name) == ["hinge", "slider"]
    assert node.returncode == 0, output


def test_manifests_agree_on_name_version_licence_and_description(
    manifest: ET.Element, pip_target: Path
) -> None:
    (distribution,) = distributions(path=[str(pip_target)])
    metadata = distribution.metadata
    assert manifest.findtext("name") == metadata["Name"].replace("-", "_") == "polo_ros"
    assert manifest.findtext("version") == metadata["Version"] == polo_ros.__version__
    assert manifest.findtext("license") == metadata["License"] == "Apache-2.0"
    assert manifest.findtext("description") == metadata["Summary"]
    assert manifest.findtext("export/build_type") == "ament_python"


def test_every_entry_point_is_a_function_that_can_be_imported(pip_target: Path) -> None:
    (distribution,) = distributions(path=[str(pip_target)])
    scripts = distribution.entry_points.select(group="console_scripts")
    assert set(scripts.names) == {*NODES, "polo"}
    assert all(callable(script.load()) for script in scripts)


def test_package_xml_lists_every_ros_package_that_is_imported(manifest: ET.Element) -> None:
    files = [*(SOURCE / "polo_ros").rglob("*.py"), *(SOURCE / "launch").glob("*.py")]
    imported = {name for path in files for name in imported_packages(path)}
    of_ros = {
        name for name in imported if re.fullmatch(r"rclpy|launch(_ros)?|\w+_(msgs|srvs|interfaces)", name)
    }
    declared = {element.text for element in manifest.findall("exec_depend")}
    assert of_ros and of_ros <= declared


def imported_packages(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in names}


def test_requirements_are_those_of_the_package(pip_target: Path) -> None:
    distribution = Distribution.at(next(pip_target.glob("polo_ros-*.dist-info")))
    needed = [line for line in distribution.requires or [] if "extra ==" not in line]
    assert requirement_names(needed) == requirement_names(requirement_lines("requirements.txt"))


def test_every_requirement_but_the_core_numpy_is_pinned() -> None:
    files = ("requirements.txt", "requirements-ros.txt", "requirements-dev.txt")
    loose = [line for name in files for line in requirement_lines(name) if "==" not in line]
    assert loose == ["numpy>=1.26"]


def requirement_lines(name: str) -> list[str]:
    lines = (SOURCE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def requirement_names(lines: list[str]) -> set[str]:
    return {re.split(r"[<>=~! ]", line)[0].lower() for line in lines}


def test_licence_is_the_full_text() -> None:
    text = (SOURCE / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text


def test_ci_runs_make_test() -> None:
    script = SOURCE / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make test"
