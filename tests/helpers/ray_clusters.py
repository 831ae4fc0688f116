"""Ray clusters on this machine, with nodes of their own that come and go, and drivers on them."""

import os
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

from helpers.fake_training import FakeSource, make_plan
from helpers.fault_drivers import PLACES
from helpers.fault_engines import refuse
from helpers.fault_workers import Log

from lenetcli.store.store import Store
from lenetcli.training import dispatcher
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
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
    """A sweep on a cluster; with ``deadly``, what failed with its workers is tried again."""
    dispatcher.POLL_SECONDS = 0.1
    held = Store.open(str(store), write=True)
    while True:
        with Cluster(address, engine) as cluster, Pool(cluster.start_worker) as pool:
            try:
                result = Runner(held, plan_on(cluster, held, rates, epochs), pool, Log(log)).run(Stop())
            except Exception:
                if not deadly:
                    raise
                continue
        if result.complete:
            return
        if not deadly:
            raise SystemExit(1)
