"""The arrows between the parts of the package, as docs/architecture.md draws them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "polo_ros"
SHARED = {
    "arrays",
    "errors",
    "extras",
    "files",
    "progress",
    "seeding",
    "signals",
    "parameters.schema",
    "parameters.markdown",
}
# what each part may import beside itself and SHARED; a dotted name is one module of a part
ARROWS: dict[str, set[str]] = {
    "arrays": set(),
    "errors": set(),
    "extras": set(),
    "files": set(),
    "progress": set(),
    "seeding": set(),
    "signals": set(),
    "parameters.schema": set(),
    "parameters.markdown": set(),
    "tasks": set(),
    "planner": {"tasks"},
    "learner": {"planner", "tasks"},
    "control": {"planner", "tasks"},
    "viewer": {"tasks"},
    "parameters": {"control", "learner", "planner", "tasks"},
    "agent": {"learner", "parameters", "planner", "tasks", "viewer"},
    "nodes": {"agent", "control", "learner", "parameters", "planner", "recordings", "tasks", "viewer"},
    "recordings": {"agent", "control", "learner", "parameters", "planner", "tasks", "viewer"},
    "sweeps": {"agent", "learner", "parameters", "planner", "tasks", "viewer"},
    "sharing": {"agent", "learner", "parameters", "planner", "tasks"},
    "commands": {
        "agent",
        "control",
        "learner",
        "parameters",
        "planner",
        "recordings",
        "sharing",
        "sweeps",
        "tasks",
        "viewer",
    },
    "cli": {"commands"},
}
ROS = {"rclpy", "ament_index_python", "launch", "launch_ros", "rcl_interfaces", "builtin_interfaces"}
MODULES = sorted((ROOT / PACKAGE).rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute here"
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(module: str) -> str:
    """The key of ARROWS that a module of the package belongs to."""
    name = module.removeprefix(f"{PACKAGE}.")
    for length in (2, 1):
        key = ".".join(name.split(".")[:length])
        if key in ARROWS:
            return key
    return name


def is_ros(module: str) -> bool:
    top = module.split(".")[0]
    return top in ROS or top.endswith(("_msgs", "_srvs"))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_follow_the_arrows(file: Path) -> None:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    part = part_of(name)
    allowed = {part} | SHARED | ARROWS.get(part, set(ARROWS))
    for module in imported(file):
        if module.startswith(f"{PACKAGE}."):
            assert part_of(module) in allowed or part_of(module) == "__version__", (
                f"{name} must not import {module}"
            )
        assert not module.startswith(("experiments", "benchmarks")), f"{name} must not import {module}"
        assert part == "nodes" or not is_ros(module), f"{name} must not know ROS ({module})"
