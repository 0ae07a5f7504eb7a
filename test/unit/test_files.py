"""Where the package looks for its data files."""

import sys
from pathlib import Path

import pytest

from polo_ros.errors import PoloError
from polo_ros.files import share_folders, share_path

SOURCE = Path(__file__).resolve().parents[2]


def test_the_source_tree_serves_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    assert share_path("models", "humanoid.xml") == SOURCE / "models" / "humanoid.xml"
    assert share_path("config").is_dir()


def test_a_colcon_installation_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "b" / "share" / "polo_ros" / "models" / "humanoid.xml"
    installed.parent.mkdir(parents=True)
    installed.write_text("<mujoco/>")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert share_path("models", "humanoid.xml") == installed
    assert share_path("models", "cartpole.xml") == SOURCE / "models" / "cartpole.xml"


def test_an_empty_prefix_path_adds_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    assert share_folders() == [SOURCE, Path(sys.prefix) / "share" / "polo_ros"]


def test_a_missing_file_is_named_with_the_places_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(PoloError, match=r"models/unicorn\.xml is in none of") as caught:
        share_path("models", "unicorn.xml")
    assert str(tmp_path / "share" / "polo_ros") in str(caught.value)
    assert str(SOURCE) in str(caught.value)
