"""Recorded runs: reading, replaying, learning from, explaining and exporting bags, without ROS."""
