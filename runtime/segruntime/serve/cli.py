"""The command line of `segrun serve`."""

from __future__ import annotations

import ipaddress
import re
import signal
import sys
import warnings
from typing import Any

import click

from segruntime.backends import BACKENDS
from segruntime.errors import MissingExtraError, OptionError, SegRuntimeError
from segruntime.run.console import say
from segruntime.run.signals import handled

EPILOG = """
Examples:

\b
  segrun serve
  curl --data-binary @me.jpg localhost:8000/v1/cutout -o me.png
  segrun serve --workers 4 --background beach=beach.jpg
  segrun serve --model portrait_int8.tflite --allow-origin https://example.org
"""
_MEGA = 1_000_000


@click.command(name="serve", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--model", help="A .tflite or .onnx file; default: the bundled portrait network.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Default: what the file is for.")
@click.option("--workers", type=int, help="Pictures in work at once. Default: the cores, at most 4.")
@click.option("--threads", type=int, default=1, show_default=True, help="Of each worker's network.")
@click.option("--queue", type=click.IntRange(0), default=32, show_default=True, help="Requests that may wait.")
@click.option("--background", "backgrounds", metavar="NAME=FILE", multiple=True, help="A picture for /v1/composite.")
@click.option("--max-megabytes", type=click.IntRange(1, 1000), default=16, show_default=True, help="Of one picture.")
@click.option("--max-megapixels", type=click.IntRange(1, 268), default=24, show_default=True, help="Of one picture.")
@click.option("--max-connections", type=click.IntRange(1), default=512, show_default=True, help="Open at once.")
@click.option("--max-sockets", type=click.IntRange(1), default=32, show_default=True, help="WebSockets open at once.")
@click.option("--timeout", type=click.FloatRange(0.1), default=20.0, show_default=True, help="Seconds for a picture.")
@click.option(
    "--drain", type=click.FloatRange(0), default=0.0, show_default=True, help="Seconds from SIGTERM to the end."
)
@click.option(
    "--allow-origin", "origins", multiple=True, help="A web page that may use this, like https://example.org."
)
def main(**words: Any) -> None:
    """A web service: pictures by POST, frames over a WebSocket; cut-outs, masks and composites back.

    Nobody is asked for a password and nothing is encrypted: for more than this machine, put a proxy before it. Ctrl-C
    finishes what is in work, and ends.
    """
    try:
        _serve(words)
    except SegRuntimeError as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped")


def _serve(words: dict[str, Any]) -> None:
    try:
        from segruntime.serve.limits import Limits
        from segruntime.serve.server import ServeOptions, serve
    except ImportError as error:
        raise MissingExtraError("segrun serve", f"a web server ({error.name})", "serve") from error
    limits = Limits(
        body_bytes=words.pop("max_megabytes") * _MEGA,
        pixels=words.pop("max_megapixels") * _MEGA,
        connections=words.pop("max_connections"),
        sockets=words.pop("max_sockets"),
        queue=words.pop("queue"),
        work_s=words.pop("timeout"),
        drain_s=words.pop("drain"),
    )
    for origin in words["origins"]:
        _check_origin(origin)
    # systemd's stop ends it as Ctrl-C does
    with handled(signal.default_int_handler, signal.SIGTERM), warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: say(str(message))
        if not _is_loopback(words["host"]):
            say(f"{words['host']}: anybody who reaches this machine can use the service; it asks for no password")
        serve(ServeOptions(limits=limits, **words), lambda address: say(f"serving on {address}, Ctrl-C ends"))


def _check_origin(origin: str) -> None:
    if origin != "*" and not re.fullmatch(r"https?://[^/\s?#]+", origin):
        raise OptionError(
            f"allow-origin: got {origin[:80]!r}, expected scheme and host, like https://example.org, or *"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
