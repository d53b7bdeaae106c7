"""What a workload asks of nodes: how many, and of which Ray cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

from code.common.errors import UsageError
from code.fields.consumer import Consumer, Readable

READS = Consumer("nodes", ("num_nodes", "ray_address", "tolerate_node_loss"))
ADDRESS = re.compile(r"auto|local:(?P<count>[1-9]\d{0,2})|(ray://)?(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Wanted:
    """The nodes of a run.

    Args:
        count: how many.
        address: of the Ray cluster: 'auto', 'HOST:PORT', or 'local:N' for one that is started here.
        tolerates: whether the run goes on without a node that is lost.
    """

    count: int
    address: str
    tolerates: bool = False

    @property
    def local(self) -> bool:
        """Whether the nodes are parts of this machine."""
        return self.address.startswith("local:")


def wanted(values: Readable) -> Wanted | None:
    """The nodes that a workload asks for; None where it runs on this machine alone. UsageError for values that contradict."""
    read = READS.of(values)
    count, address = read["num_nodes"], read["ray_address"]
    if count is None and not address:
        return None
    if not address:
        if count == 1:
            return None
        raise UsageError(
            f"num_nodes is {count}, and no Ray cluster is named",
            "Ray places the nodes of a run",
            "add --ray_address=auto, HOST:PORT, or local:2 for two nodes on this machine",
            "--num_nodes",
        )
    own = own_count(str(address))
    if own and count is not None and own != count:
        raise UsageError(
            f"num_nodes is {count}, and ray_address is {address}",
            "a local cluster has as many nodes as its address says",
            f"write --ray_address=local:{count}, or leave --num_nodes out",
            "--num_nodes",
        )
    if not own and count is None:
        raise UsageError(
            f"ray_address is {address}, and num_nodes is not set",
            "a cluster may have more nodes than one run is to use",
            "add --num_nodes=2",
            "--ray_address",
        )
    return Wanted(own or int(count), str(address), bool(read["tolerate_node_loss"]))


def own_count(address: str, option: str = "--ray_address") -> int:
    """The nodes that an address itself asks for; 0 for a cluster that is there. UsageError for what is no address.

    Args:
        option: the address was given as.
    """
    hit = ADDRESS.fullmatch(address)
    if hit is None or not 0 < int(hit["port"] or 1) < 65536:
        raise UsageError(
            f"{option.lstrip('-')} cannot be {address[:80]!r}",
            "it is auto, HOST:PORT of a cluster's head, or local:N for N nodes on this machine",
            f"write {option}=local:2",
            option,
        )
    return int(hit["count"] or 0)
