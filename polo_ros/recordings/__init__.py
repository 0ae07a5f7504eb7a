"""What bags teach: reading them, learning from them, explaining and exporting them; no ROS."""
