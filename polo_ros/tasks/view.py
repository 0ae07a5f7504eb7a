"""Sensor readings and controls of many states, read by sensor name."""

from collections.abc import Mapping

from polo_ros.arrays import Array
from polo_ros.errors import PoloError


class View:
    """Sensor readings and controls of states of any leading shape.

    Args:
      slices: the entries of each sensor in `sensordata`, by the sensor's name.
      sensordata: (..., nsensordata), in the units of the sensors.
      ctrl: (..., nu), the control applied in each state; zeros where none is known.
    """

    def __init__(self, slices: Mapping[str, slice], sensordata: Array, ctrl: Array) -> None:
        self._slices = slices
        self.sensordata = sensordata
        self.ctrl = ctrl

    def sensor(self, name: str) -> Array:
        """The readings of one sensor, (..., dim).

        Raises:
          PoloError: the model has no sensor of that name.
        """
        try:
            entries = self._slices[name]
        except KeyError:
            raise PoloError(
                f"the model has no sensor named '{name}'; add it to the model's <sensor> section "
                f"(it has {', '.join(self._slices) or 'none'})"
            ) from None
        return self.sensordata[..., entries]
