"""The mark of tests from which no warning may come."""

import pytest

# What other libraries of earlier tests left open is told of whenever Python collects it, and what fails
# then is told of in the test that runs by chance: both are shown, and fail no test.
no_warnings = pytest.mark.filterwarnings(
    "error", "default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning"
)
