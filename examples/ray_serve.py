"""`segrun serve`'s service on a Ray cluster, with Ray Serve: more replicas while more is asked, fewer when it is quiet.

    pip install "ray[serve]"
    python examples/ray_serve.py                                # on this machine; then:
    curl --data-binary @me.jpg localhost:8000/v1/cutout -o me.png
    python examples/ray_serve.py --address auto --most 16       # on the cluster that this machine belongs to

Each replica loads the network once and has one CPU. A WebSocket (`/v1/stream`) stays with the replica that accepted it, for
that one has the stream's earlier masks. Nobody is asked for a password: a proxy in front does that, see docs/serve.md.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import ray
from ray import serve

ONGOING = 2  # requests at a replica, of which one is in work; with more than that on the average, a replica is added


def application(model: str | None, fewest: int, most: int) -> Any:
    """For `serve.run`, or for `serve deploy` in a file of its own: `app = application(None, 1, 16)`."""

    def service() -> Any:
        """An ASGI application, built on the replica: a network does not travel."""
        from segruntime.serve.app import build_app
        from segruntime.serve.server import ServeOptions, build_service

        return build_app(build_service(ServeOptions(model=model, workers=1, threads=1)))

    scaling = {"min_replicas": fewest, "max_replicas": most, "target_ongoing_requests": ONGOING}
    deployment = serve.deployment(
        serve.ingress(service)(),
        name="segedge",
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=16 * ONGOING,  # the service itself refuses what waits for too long
        autoscaling_config=scaling,
        health_check_period_s=10,
        graceful_shutdown_timeout_s=20,
    )
    return deployment.bind()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--address", default="local", help="of the cluster: auto or HOST:PORT; default: this machine alone"
    )
    parser.add_argument("--host", default="127.0.0.1", help="to listen on; 0.0.0.0 for all of the network")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fewest", type=int, default=1, help="replicas when it is quiet")
    parser.add_argument("--most", type=int, default=os.cpu_count() or 1, help="replicas when much is asked")
    parser.add_argument("--model", help="a .tflite or .onnx file that all nodes see; default: the bundled network")
    args = parser.parse_args(arguments)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(args.address)
    serve.start(http_options={"host": args.host, "port": args.port})
    try:
        serve.run(application(args.model, args.fewest, args.most), name="segedge", blocking=True)
    finally:
        serve.shutdown()  # on a cluster its replicas would outlive this process, whatever ended that


if __name__ == "__main__":
    main()
