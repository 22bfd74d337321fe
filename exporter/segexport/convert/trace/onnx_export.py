"""Deployable graph → ONNX through torch's dynamo exporter, and the program of torch.export for converters that read that."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from segexport.convert.torch_rewrites.lower import Lowered, lower
from segexport.convert.trace.errors import explained
from segexport.errors import ConversionError, MissingExtraError

INPUT_NAME = "image"
OUTPUT_NAME = "probability"
OPSET = 18  # what torch's exporter writes natively and onnx2tf reads


def write_onnx(graph: nn.Module, height: int, width: int, path: Path) -> Lowered:
    """Write `graph`, lowered, for the static shape `(1, 3, height, width)`; weights inside the file.

    Returns:
        The module that was written, its program, and what was rewritten in it; the same numbers as `graph`.

    Raises:
        MissingExtraError: onnxscript is not installed.
        ConversionError: torch cannot export the network, or no rewrite fits it; names the module or operator.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnxscript", "export") from error
    from segexport.convert.rewrites.rewrite import rewrite_onnx
    from segexport.convert.seldom import seldom_converted

    example = torch.zeros(1, 3, height, width)
    talk = io.StringIO()
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(talk), contextlib.redirect_stderr(talk):
            warnings.simplefilter("ignore")
            lowered = lower(graph, example)
            program: Any = torch.onnx.export(
                lowered.program,
                (),
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
            rewritten = rewrite_onnx(program.model)
            seldom = seldom_converted(program.model)
            _forget_where_it_was_made(program)
            program.save(str(path), external_data=False)
        return replace(lowered, rewrites=lowered.rewrites + rewritten, seldom_converted=seldom)
    except (OSError, ConversionError):
        raise  # the disk's fault, or said already
    except Exception as error:
        raise ConversionError(explained(error)) from error
    finally:
        logging.disable(level)


def write_program(program: ExportedProgram, path: Path) -> None:
    """Write `program`, of a lowered network, as `torch.export.save` does.

    Raises:
        ConversionError: torch.export cannot save it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(program, path)
    except OSError:
        raise  # the disk's fault
    except Exception as error:  # torch.export raises anything
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConversionError(f"torch.export cannot save this network ({first[:300]})") from error


def _forget_where_it_was_made(program: Any) -> None:
    """Torch notes the stack of calls behind every operator: folders of this machine, and another file from each checkout."""
    model = program.model
    for graph in (model.graph, *model.functions.values()):
        for node in graph:
            for noted in (node, *node.outputs):
                noted.metadata_props.clear()
        graph.metadata_props.clear()
