"""The command line: `segexport setup | inspect | doctor | onnx | tflite | verify | report | vectors | check-port`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import click

from segexport.commands.doctor import doctor
from segexport.commands.export import onnx, tflite
from segexport.commands.inspect import inspect
from segexport.commands.setup import setup
from segexport.commands.shown import fail
from segexport.commands.vectors import check_port, vectors
from segexport.commands.verify import report, verify
from segexport.errors import SegExportError
from segruntime.errors import SegRuntimeError
from segruntime.run.signals import handled

_INTERRUPTED = "interrupted; nothing unfinished was left behind"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="segedge")
def cli() -> None:
    """A trained PyTorch segmentation checkpoint → ONNX and TFLite files that give the same mask.

    \b
    Examples:
      segexport setup
      segexport inspect ckpt.pth
      segexport tflite  ckpt.pth --calibration pictures/
      segexport doctor  pictures/
      segexport verify  ckpt_export
      segexport report  ckpt_export
      segexport vectors ckpt_export
    """


for _command in (setup, inspect, doctor, onnx, tflite, verify, report, vectors, check_port):
    cli.add_command(_command)


def main() -> None:
    """The entry point: every refusal is one line on standard error and exit code 1; wrong usage is 2."""
    # read when PyTorch is imported: its threads would turn in circles while they wait, on the cores of converter and quantizer
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    stopped_by: list[int] = []  # no Event, whose lock a second signal would find taken

    def end(number: int, _frame: object) -> NoReturn:
        stopped_by.append(number)
        raise KeyboardInterrupt

    try:
        with handled(end, signal.SIGTERM, signal.SIGINT):
            cli(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        fail(_INTERRUPTED, 130)
    except Exception as error:  # noqa: BLE001 - refused or raised again
        # a library that the interrupt went through may have made another error of it
        if stopped_by:
            fail(_INTERRUPTED, 130)
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, click.ClickException):
        fail(error.message, 1)
    if isinstance(error, (SegExportError, SegRuntimeError)):
        fail(str(error), 1)
    raise error


if __name__ == "__main__":
    main()
