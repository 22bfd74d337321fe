"""Operators that are put into a finished .tflite, in the object form of its schema."""

from __future__ import annotations

from typing import Any


def operator_code(schema: Any, model: Any, kind: str, version: int) -> int:
    """The index of an operator code of this version or a newer one; added to `model` where there is none."""
    number = getattr(schema.BuiltinOperator, kind)
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == number and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def operator_kind(schema: Any, model: Any, operator: Any) -> str:
    """The name of one of `model`'s operators, `CONV_2D`; `CUSTOM` for what the schema does not name."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next((str(name) for name, value in vars(schema.BuiltinOperator).items() if value == number), "CUSTOM")
