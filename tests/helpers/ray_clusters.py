"""Ray clusters on this machine, with nodes of their own that come and go, and drivers on them."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from helpers.fake_training import FakeSource, make_plan
from helpers.fault_drivers import PLACES, carry_on
from helpers.fault_engines import refuse

from lenetcli.training.pool import Pool
from lenetcli.training.sites import OnCluster
from lenetcli.training.workers.cluster import Cluster

NODE = {"num_cpus": 2, "object_store_memory": 100_000_000}
HEAD = NODE | {
    "num_cpus": 0,
    "include_dashboard": False,
    # By default it takes up to half a minute until the loss of a node is noticed.
    "_system_config": {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
    | {"health_check_timeout_ms": 500, "health_check_failure_threshold": 3},
}


@dataclass(frozen=True)
class CountedSource(FakeSource):
    """Data of which each reading leaves a line in a file."""

    file: Path

    def load(self):
        with self.file.open("a") as lines:
            lines.write("read\n")
        return super().load()


class DamagedSource(FakeSource):
    """Data that was found, and cannot be read any more."""

    def load(self):
        refuse()


@contextmanager
def ray_cluster(nodes=2):
    """A cluster whose head trains nothing, with nodes of two CPUs that import what these tests import."""
    from ray.cluster_utils import Cluster as Nodes

    environment = {"PYTHONPATH": os.pathsep.join(PLACES), "RAY_USAGE_STATS_ENABLED": "0"}
    with mock.patch.dict(os.environ, environment):
        cluster = Nodes(initialize_head=True, head_node_args=HEAD)
        try:
            for _ in range(nodes):
                cluster.add_node(**NODE)
            yield cluster
        finally:
            cluster.shutdown()


def plan_on(cluster, store, rates, epochs, *, threads=1, source=None, **options):
    """A plan for a cluster."""
    plan = make_plan(store, rates, epochs, **options)
    sweep = replace(plan.sweep, request=replace(plan.sweep.request, threads=threads))
    return replace(plan, sweep=sweep, site=OnCluster(cluster), source=source or plan.source)


def sweep_on_cluster(address, store, rates, epochs, log, engine, deadly=False):
    """A sweep on a cluster; see ``fault_drivers.carry_on``."""

    @contextmanager
    def open_pool(held):
        with Cluster(address, engine) as cluster, Pool(cluster.start_worker) as pool:
            yield plan_on(cluster, held, rates, epochs), pool

    carry_on(open_pool, store, log, None, deadly)
