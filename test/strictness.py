"""The mark of tests from which no warning may come."""

import pytest

# what other libraries of earlier tests left open is warned of whenever Python collects it
no_warnings = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
