"""`python -m polo_ros` is the command `polo`."""

import sys

from polo_ros.cli import main

sys.exit(main())
