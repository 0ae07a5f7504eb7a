"""setup.cfg, constraints.txt, package.xml and what the code imports agree."""

import ast
import configparser
import os
import re
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from workspace import SOURCE

import polo_ros

ROS_PACKAGE = re.compile(r"rclpy|launch(_ros)?|\w+_(msgs|srvs|interfaces)")
# run-time dependencies without a rosdep key; pip installs them
WITHOUT_ROSDEP_KEY = {"safetensors"}


def requirements(*extras: str) -> dict[str, Requirement]:
    """The requirements that setup.cfg states for the package (without extras) or for extras, by name."""
    manifest = configparser.ConfigParser()
    manifest.read(SOURCE / "setup.cfg", encoding="utf-8")
    stated = manifest["options.extras_require"]
    texts = [stated[extra] for extra in extras] or [manifest["options"]["install_requires"]]
    found = [Requirement(line) for text in texts for line in text.split("\n") if line.strip()]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def extras() -> tuple[str, ...]:
    """The names of all extras."""
    manifest = configparser.ConfigParser()
    manifest.read(SOURCE / "setup.cfg", encoding="utf-8")
    return tuple(manifest["options.extras_require"])


def third_party(*folders: str) -> set[str]:
    """Top-level packages that the Python files of folders import, without Python's and the project's own."""
    own = {path.name for path in SOURCE.iterdir() if path.is_dir()}
    nodes = [
        node
        for folder in folders
        for path in (SOURCE / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    found = {name.split(".")[0] for name in names}
    return {name for name in found if name not in sys.stdlib_module_names and name not in own - {"launch"}}


@pytest.fixture
def package_xml() -> ET.Element:
    return ET.parse(SOURCE / "package.xml").getroot()


def test_manifests_agree_on_name_version_licence_and_description(
    package_xml: ET.Element, pip_target: Path
) -> None:
    (distribution,) = distributions(path=[str(pip_target)])
    metadata = distribution.metadata
    assert package_xml.findtext("name") == metadata["Name"].replace("-", "_") == "polo_ros"
    assert package_xml.findtext("version") == metadata["Version"] == polo_ros.__version__
    assert package_xml.findtext("license") == metadata["License"] == "Apache-2.0"
    assert package_xml.findtext("description") == metadata["Summary"]
    assert package_xml.findtext("export/build_type") == "ament_python"
    assert metadata["Requires-Python"] == ">=3.11"


def test_constraints_pin_one_allowed_version_of_every_requirement() -> None:
    lines = (SOURCE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    stated = requirements() | requirements(*extras())
    assert pinned.keys() == stated.keys()
    forbidden = [name for name, version in pinned.items() if version not in stated[name].specifier]
    assert not forbidden


@pytest.mark.parametrize(
    ("folders", "used"),
    [
        (
            ("polo_ros",),
            ("viewer", "record", "lerobot", "rerun", "tensorboard", "hub", "sweep", "ray", "dask", "optuna"),
        ),
        (("experiments",), ("sweep",)),
        (("test",), ("sweep", "viewer", "record", "lerobot", "rerun", "tensorboard", "hub", "test")),
    ],
    ids=["package", "experiments", "tests"],
)
def test_every_import_is_of_a_requirement(folders: tuple[str, ...], used: tuple[str, ...]) -> None:
    stated = (requirements() | requirements(*used)).keys()
    offered_by = packages_distributions()
    imported = {name for name in third_party(*folders) if not ROS_PACKAGE.fullmatch(name)}
    imported -= {path.stem for path in (SOURCE / "test" / "support").glob("*.py")}
    unstated = {
        name
        for name in imported
        if not stated & {canonicalize_name(distribution) for distribution in offered_by.get(name, [name])}
    }
    assert not unstated


def test_package_xml_lists_every_ros_package_that_is_imported(package_xml: ET.Element) -> None:
    of_ros = {name for name in third_party("polo_ros", "launch") if ROS_PACKAGE.fullmatch(name)}
    declared = {element.text for element in package_xml.findall("exec_depend")}
    assert of_ros and of_ros <= declared


def test_package_xml_has_the_rosdep_key_of_every_requirement(package_xml: ET.Element) -> None:
    declared = {element.text or "" for element in package_xml.findall("exec_depend")}
    keys = {name.removesuffix("-pip").removeprefix("python3-") for name in declared if "python3-" in name}
    needed = {{"pyyaml": "yaml", "pillow": "pil"}.get(name, name) for name in requirements()}
    assert needed - keys == WITHOUT_ROSDEP_KEY
    assert keys <= needed


def test_licence_is_the_full_text() -> None:
    text = (SOURCE / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text


def test_ci_runs_make_test() -> None:
    script = SOURCE / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make test"
