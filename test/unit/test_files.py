"""Where the package looks for its data files, and files that are written whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polo_ros.errors import PoloError
from polo_ros.files import config_path, share_folders, share_path, write_atomically

SOURCE = Path(__file__).resolve().parents[2]


def test_the_source_tree_serves_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    assert share_path("models", "humanoid.xml") == SOURCE / "models" / "humanoid.xml"
    assert share_path("config").is_dir()


def installed(prefix: Path, name: str, content: str) -> Path:
    """A file of the package in another installation."""
    path = prefix / "share" / "polo_ros" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_another_installation_serves_what_this_one_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_there = installed(tmp_path / "b", "models/other.xml", "<mujoco/>")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert share_path("models", "other.xml") == only_there


def test_a_source_tree_does_not_take_the_files_of_an_old_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = installed(tmp_path, "config/cartpole_swingup.yaml", "/**: {ros__parameters: {}}")
    installed(tmp_path, "models/cartpole.xml", (SOURCE / "models" / "cartpole.xml").read_text())
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    own = SOURCE / "config" / "cartpole_swingup.yaml"
    for _ in range(2):
        assert config_path("cartpole_swingup") == own
        assert share_path("models", "cartpole.xml") == SOURCE / "models" / "cartpole.xml"
    (warning,) = caplog.messages  # once, and not of the file that is the same
    assert f"{own} is used; {old} of another installation differs" in warning


def test_the_parameter_file_of_another_packages_task_is_beside_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[polo_ros.tasks]\nother_task = other_tasks:Balance\n")
    (tmp_path / "other_tasks.py").write_text("raise RuntimeError('not to be imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert config_path("other_task") is None
    (tmp_path / "other_task.yaml").write_text("")
    assert config_path("other_task") == tmp_path / "other_task.yaml"


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


def test_writing_replaces_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")
    held_open = path.open("rb")  # a reader that was there before
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert held_open.read() == b"old and longer"
    held_open.close()
    assert list(tmp_path.iterdir()) == [path]


def test_written_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    write_atomically(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_full_disk_leaves_the_old_file_untouched(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"old")
    # the kernel refuses to let any file grow beyond the limit, half way through the write
    script = """
import resource, sys
from pathlib import Path
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_atomically(Path(sys.argv[1]), bytes(10**6))
except PoloError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"{path} could not be written (File too large); the previous file is untouched\n"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "weights", tmp_path / "folder"):
        with pytest.raises(PoloError, match=f"{path} could not be written"):
            write_atomically(path, b"new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"old"
