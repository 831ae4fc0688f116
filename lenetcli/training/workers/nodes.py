"""The nodes of a Ray cluster: the connection to them, what each of them has, and what errors say of them."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
from ray._private.services import canonicalize_bootstrap_address
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import ActorUnavailableError, AuthenticationError

from lenetcli.errors import ClusterError, describe_error
from lenetcli.experiment.config import AUTO, DeviceKind
from lenetcli.machine.system import printable
from lenetcli.training.workers.cluster import LOCAL, Connect, Machine, name_place, no_answer
from lenetcli.training.workers.messages import Setup

REACH_SECONDS = 5.0
"""How long the machine of an address may take to answer at all."""


def connect(message: Connect, folder: Path) -> tuple[Machine, ...]:
    """The machines of a cluster that is connected to, or started with its files in a folder.

    Raises:
        ClusterError: if that cannot be done.
        AuthenticationError: if the cluster asks for a token that Ray does not have or send.
    """
    options: dict[str, Any] = {"address": message.address}
    if message.address == LOCAL:
        options |= {"num_cpus": message.cores, "include_dashboard": False, "_temp_dir": str(folder)}
    try:
        if message.address not in (AUTO, LOCAL):
            host, _, port = message.address.rpartition(":")
            # Ray would try again for minutes where nobody listens.
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()
        if message.address != LOCAL and (found := canonicalize_bootstrap_address(message.address)):
            # Where a token is asked for, these fail at once, and ``init`` would try again for 20 s.
            ensure_token_if_auth_enabled(None, create_token_if_missing=False)
            GcsClient(address=found)
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
        return tuple(map(_describe, find_nodes()))
    except AuthenticationError:
        raise
    except Exception as error:
        if message.address == LOCAL:
            problem = f"Ray cannot be started on this machine: {_join(error)}"
            raise ClusterError(problem, "Set TMPDIR to a folder with a short path and space left.") from error
        if isinstance(error, OSError):
            raise no_answer(message.address) from error
        problem = f"The Ray cluster {name_place(message.address)} cannot be used: {_join(error)}"
        raise ClusterError(problem, "See `ray status`.") from error


def find_nodes(setup: Setup | None = None) -> list[dict[str, Any]]:
    """The nodes of the cluster that are alive; those that have what a setup needs, even if it is in use."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if setup is None:
        return nodes
    needs = count_needs(setup).items()
    return [node for node in nodes if all(node["Resources"].get(name, 0) >= need for name, need in needs)]


def count_needs(setup: Setup) -> dict[str, int]:
    """What a worker with a setup needs of a node, by the names of Ray's resources."""
    on_gpu = setup.device.kind is DeviceKind.GPU
    return {"CPU": setup.threads, "GPU": 1 if on_gpu else 0, "memory": setup.memory_bytes}


def _describe(node: dict[str, Any]) -> Machine:
    resources = node["Resources"]
    models = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
    gpus = int(resources.get("GPU", 0))
    return Machine(
        name=printable(node["NodeManagerHostname"]),
        cpus=int(resources.get("CPU", 0)),
        gpus=gpus,
        gpu_model=models[0] if models and gpus else "",
        memory_bytes=int(resources.get("memory", 0)),
    )


def is_lost(error: Exception, node: str) -> bool:
    """Whether an error of an actor came with the loss of its node."""
    # A node is not declared dead before some seconds have passed; a lost connection is told of at once.
    if isinstance(error, ActorUnavailableError):
        return True
    with suppress(Exception):
        return bool(node) and node not in {one["NodeID"] for one in find_nodes()}
    return True


def explain(error: Exception) -> str:
    """The last line of an error of Ray, without the guesses and numbers around what it says."""
    lines = [line.strip() for line in describe_error(error).splitlines() if line.strip()]
    detail = lines[-1].partition(" Some common causes")[0].rpartition("Worker exit detail: ")[2]
    return printable(f"{detail[:1].upper()}{detail[1:]}").rstrip(".") + "."


def _join(error: Exception) -> str:
    """The words of an error of Ray in one line; those on versions that do not fit have many."""
    return printable(" ".join(describe_error(error).split())) + "."
