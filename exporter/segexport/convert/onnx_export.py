"""Deployable graph → ONNX through torch's dynamo exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import torch

from segexport.deploy import Deployable
from segexport.errors import ConversionError, MissingExtraError

INPUT_NAME = "image"
OUTPUT_NAME = "probability"
OPSET = 18  # what torch's exporter writes natively and onnx2tf reads


def write_onnx(graph: Deployable, height: int, width: int, path: Path) -> None:
    """Write `graph` for the static shape `(1, 3, height, width)`; weights inside the file.

    Raises:
        MissingExtraError: onnxscript is not installed.
        ConversionError: torch cannot export the network; names the module or operator.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnxscript", "export") from error
    example = torch.zeros(1, 3, height, width)
    talk = io.StringIO()
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(talk), contextlib.redirect_stderr(talk):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph,
                (example,),
                str(path),
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except OSError:
        raise  # the disk's fault, not the network's
    except Exception as error:
        cause = error.__cause__ or error
        first = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
        raise ConversionError(
            f"ONNX: torch's exporter failed on this network ({first[:300]}); "
            "expected a network whose forward pass torch.export can trace with a fixed input size"
        ) from error
    finally:
        logging.disable(level)
