"""Plan online, learn offline: MPPI with a learned terminal value, as ROS 2 nodes over MuJoCo."""

__version__ = "0.1.0"
