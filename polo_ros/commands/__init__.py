"""The commands of `polo`, a module for each group.

Each module's `add` gives its commands to the parser. A command imports what it needs when it runs, since
torch and matplotlib take seconds to import.
"""

from polo_ros.commands import acting, listing, ranking, recordings, research, running, sweeping, weights

# in the order of `polo --help`
GROUPS = (listing, acting, sweeping, ranking, recordings, running, weights, research)
