"""`polo export --format rerun`: a recording as curves for the Rerun viewer (.rrd)."""

import contextlib
import os
from pathlib import Path

from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.recordings.export import ctrl_names, state_names, weighted_terms
from polo_ros.recordings.recording import Recording


def export_rerun(recording: Recording, path: Path) -> int:
    """Write curves over the time in s since the beginning: state, control, reward and its terms, episode.

    Args:
      recording: what is written.
      path: of the file; an older one is replaced as a whole.

    Returns:
      The number of transitions.

    Raises:
      PoloError: the file could not be written, or rerun-sdk is not installed.
    """
    require("rerun", "a file for Rerun", "rerun")
    import rerun as rr

    task = recording.task
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.rrd")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()  # Rerun's own message names no cause
        stream = rr.RecordingStream(f"polo_ros_{task.name}")
        stream.save(temporary)
        seconds = rr.TimeColumn("time", duration=recording.time - recording.time[0])
        curves = {
            "state": (recording.state, state_names(task)),
            "ctrl": (recording.ctrl, ctrl_names(task)),
            "reward": (recording.reward, ["reward"]),
            "episode": (recording.episode, ["episode"]),
        }
        curves |= {f"reward/{name}": (part, [name]) for name, part in weighted_terms(recording).items()}
        with progress_bar(len(curves), f"write {path.name}", "curve", patience=PATIENCE) as bar:
            for entity, (values, names) in curves.items():
                stream.log(entity, rr.SeriesLines(names=names), static=True)
                stream.send_columns(entity, [seconds], rr.Scalars.columns(scalars=values))
                bar.update()
        stream.disconnect()  # writes the rest
        temporary.replace(path)
    except OSError as error:
        raise PoloError(f"{path} could not be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return len(recording.time)
