"""Tests of the ROS 2 adapters: the nodes as processes, and what they are built from."""
