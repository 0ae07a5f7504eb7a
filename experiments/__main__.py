"""`python -m experiments`, which `polo reproduce` runs: the paper's figures and the baselines."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import experiments
from experiments.reproduce import reproduce
from polo_ros.commands.shared import add_worker_options
from polo_ros.errors import PoloError


def main(arguments: Sequence[str] | None = None) -> int:
    """List the experiments, or reproduce one and print its report."""
    parser = argparse.ArgumentParser(prog="polo reproduce", description=__doc__)
    parser.add_argument("name", nargs="?", help="of the experiment; without a name, all are listed")
    parser.add_argument("--quick", action="store_true", help="a size that takes seconds")
    parser.add_argument(
        "--out", type=Path, help="folder for results (default: results/NAME, with --quick runs/NAME-quick)"
    )
    add_worker_options(parser)
    options = parser.parse_args(arguments)
    if options.name is None:
        for name, found in experiments().items():
            print(f"{name:24}{found.summary}")
        return 0
    out = Path("runs") / f"{options.name}-quick" if options.quick else Path("results") / options.name
    try:
        workers = (options.workers, options.backend, options.address)
        print("\n".join(reproduce(options.name, options.quick, options.out or out, *workers)))
    except PoloError as error:
        print(f"polo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("polo: interrupted; what was written stays", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":  # worker processes import this module
    sys.exit(main())
