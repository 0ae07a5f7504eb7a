"""How an inertial measurement unit (imu) is mounted on the base."""

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.joints import FreeBody
from polo_ros.errors import PoloError
from polo_ros.tasks.rotations import conjugate, multiply, rotation_matrix

# names of the base's own frame by REP-105 and REP-120, whatever the model calls its body
BASE_FRAMES = ("", "base_link", "base")


def frame_name(frame: str) -> str:
    """A frame without the prefix of a namespace."""
    return frame.rpartition("/")[2]


def is_base_frame(frame: str, base: FreeBody) -> bool:
    """Whether a message's frame is the base's own."""
    return frame_name(frame) in (*BASE_FRAMES, base.name)


class ImuMounting:
    """Converts an imu's measurements from its own frame into the base's.

    Args:
      model: whose sites and bodies name the frames.
      base: the body that carries the imu.
      frame: a site or body that is fixed to the base; empty for what each message says.

    Raises:
      PoloError: there is no such site or body on the base.
    """

    def __init__(self, model: mujoco.MjModel, base: FreeBody, frame: str) -> None:
        self._base = base
        self._frame = frame
        self._mountings = _frames_on(model, base)
        self._mounting(frame)

    def to_base(self, quaternion: Array, velocity: Array, frame: str) -> tuple[Array, Array]:
        """The base's orientation (4,) wxyz and its angular velocity (3,) in its own frame, in rad/s.

        Args:
          quaternion: the imu's orientation, (4,) wxyz.
          velocity: the angular velocity in the imu's frame, (3,), in rad/s.
          frame: the imu's, as its message says.

        Raises:
          PoloError: no site or body of that name is fixed to the base.
        """
        mounting = self._mounting(self._frame or frame)
        return multiply(quaternion, conjugate(mounting)), rotation_matrix(mounting) @ velocity

    def _mounting(self, frame: str) -> Array:
        """The orientation (4,) of a frame in the base's."""
        name = frame_name(frame)
        if name in self._mountings:
            return self._mountings[name]
        if is_base_frame(frame, self._base):
            return self._mountings[self._base.name]
        raise PoloError(
            f"imu is in frame '{frame}', which is no site or body on the base; set imu_frame to one of "
            f"{', '.join(self._mountings)}, or name a site so in the model"
        )


def _frames_on(model: mujoco.MjModel, base: FreeBody) -> dict[str, Array]:
    """The orientation in the base's frame of each named body and site that is fixed to it."""
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    body = model.body(base.name).id
    found = {base.name: np.array([1.0, 0.0, 0.0, 0.0])}
    of_base = conjugate(data.xquat[body])
    for index in range(model.nbody):
        if model.body_weldid[index] == model.body_weldid[body] and model.body(index).name:
            found.setdefault(model.body(index).name, multiply(of_base, data.xquat[index]))
    for index in range(model.nsite):
        site = model.site(index)
        if model.body_weldid[int(site.bodyid[0])] == model.body_weldid[body] and site.name:
            quaternion = np.empty(4)
            mujoco.mju_mat2Quat(quaternion, data.site_xmat[index])
            found.setdefault(site.name, multiply(of_base, quaternion))
    return found
