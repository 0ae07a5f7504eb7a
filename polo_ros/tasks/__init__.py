"""What to solve: one short file a task, and the registry that finds them by name."""

from polo_ros.tasks.registry import make_task, task_class, task_classes
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View

__all__ = ["Feature", "Measure", "RewardTerm", "Task", "View", "make_task", "task_class", "task_classes"]
