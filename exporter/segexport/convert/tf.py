"""Child process: ONNX → float32 TFLite by onnx2tf 1 and TensorFlow, imported before onnx: else it can hang for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segexport.convert.rewrites.for_tf import prepare_for_tf
from segexport.process.memory import release_memory
from segexport.process.worker import Say, serve

_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def _convert(job: dict[str, Any], say: Say) -> dict[str, Any]:
    import tensorflow as tf

    say("ONNX to Keras")
    keras_model = _to_keras(job["source"])
    release_memory()
    shape = [int(n) for n in keras_model.inputs[0].shape]
    module, function = _with_signature(tf, keras_model, shape)
    say("Keras to TFLite")
    Path(job["target"]).write_bytes(_to_tflite(tf, module, function))
    return {}


def _load() -> None:
    """Tensorflow before onnx, which onnx2tf imports."""
    import tensorflow  # noqa: F401

    _lay_sample()
    import onnx2tf  # noqa: F401


def _lay_sample() -> None:
    """onnx2tf downloads pictures unless a file of this name lies in its working directory."""
    import numpy as np

    np.save(_SAMPLE, np.zeros((20, 128, 128, 3), np.float32))


def _to_keras(onnx_path: str) -> Any:
    import onnx
    import onnx2tf

    model = onnx.load(onnx_path)
    prepare_for_tf(model)
    onnx.save(model, onnx_path)  # its own copy
    return onnx2tf.convert(
        input_onnx_file_path=onnx_path,
        output_folder_path="keras",
        disable_model_save=True,
        not_use_onnxsim=True,  # it is started where PATH has it, and makes other pools of ours
        non_verbose=True,
        verbosity="error",
    )


def _with_signature(tf: Any, keras_model: Any, shape: list[int]) -> tuple[Any, Any]:
    """A function on a plain module: there is a signature, and no Keras model that would be written out as JSON."""
    module = tf.Module()
    module.variables_of_layers = list(keras_model.variables)  # without them a file may lose its signature

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])  # type: ignore[untyped-decorator]
    def probability(image: Any) -> dict[str, Any]:
        return {"probability": keras_model(image)}

    module.probability = probability
    return module, probability.get_concrete_function()


def _to_tflite(tf: Any, module: Any, function: Any) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return bytes(converter.convert())


if __name__ == "__main__":
    serve(_convert, _load)
