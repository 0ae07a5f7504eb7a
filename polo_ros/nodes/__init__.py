"""Thin ROS 2 adapters: parameters, messages, clocks and safety. No mathematics."""
