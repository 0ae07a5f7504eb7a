"""Array types: numbers are float64; docstrings give the shapes."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
