"""The planners of the comparison, by the name that CSV files and options use."""

from benchmarks.peers.ours import Ours, OursWithoutValue
from benchmarks.peers.peer import Peer
from benchmarks.peers.with_judo import Judo, JudoOnOurThreads
from benchmarks.peers.with_torch import Torch, TorchKnots, TorchStepwise

PEERS: dict[str, type[Peer]] = {
    "polo_ros": Ours,
    "polo_ros, no value": OursWithoutValue,
    "judo": Judo,
    "judo, our threads": JudoOnOurThreads,
    "pytorch_mppi": Torch,
    "pytorch_mppi, knots": TorchKnots,
    "pytorch_mppi, knots, stepwise": TorchStepwise,
}
