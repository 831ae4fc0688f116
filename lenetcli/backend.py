"""TensorFlow as this project wants it: everything that uses it has it from here."""

import os
import sys
from functools import lru_cache

from lenetcli.runs import DeviceKind

__all__ = ["configure", "tf"]

# Before TensorFlow is loaded: it turns oneDNN on by itself only on newer processors, and without it
# the older ones need 2.6 times as long; GPUs are to be numbered as their driver numbers them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")

# TensorFlow imports Keras, and that pyplot, if they are there: a third of its start-up and 65 MB, for
# what only ``save_model`` needs. None says that they are not.
if _hide_keras := "keras" not in sys.modules:
    sys.modules["keras"] = None  # type: ignore[assignment]

import tensorflow as tf

if _hide_keras:
    del sys.modules["keras"]


@lru_cache(maxsize=1)
def configure(kind: DeviceKind, index: int, threads: int) -> None:
    """Set TensorFlow up for one device; once a process, before its first operation.

    Parallelism comes from shards side by side (inter-op), never from inside one operation.
    """
    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    chosen = gpus[index : index + 1] if kind is DeviceKind.GPU else []
    tf.config.set_visible_devices(chosen, "GPU")
    for gpu in chosen:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if chosen:
        tf.config.experimental.enable_op_determinism()
