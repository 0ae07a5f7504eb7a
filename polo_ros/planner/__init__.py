"""How to act: MPPI with a terminal value, over rollouts of an internal MuJoCo model."""

from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.plan import Plan
from polo_ros.planner.planner import Planner, PlanReport

__all__ = ["Plan", "PlanReport", "Planner", "PlannerConfig"]
