"""Real time without ROS: worker thread, plan schedule, latency, prediction, safety gate, state assembly."""
