"""How to improve: replay buffer, N-step targets, an ensemble with randomised priors, checkpoints."""

from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner, UpdateReport

__all__ = ["Learner", "LearnerConfig", "UpdateReport"]
