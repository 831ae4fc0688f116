"""TensorFlow with the settings of this project; the other modules import ``tf`` from here."""

import os
import sys
from functools import lru_cache

from lenetcli.experiment.config import DeviceKind

__all__ = ["configure", "tf"]

# These are read when TensorFlow is imported. It enables oneDNN by default on newer processors only, and
# without it older ones are 2.6 times slower. Left alone, it makes the primitives of a gradient anew for each
# call, which takes as long as a small convolution. GPUs are numbered as the driver numbers them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "false")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")

# TensorFlow imports Keras if it is installed, and Keras imports pyplot: a third of the start-up time and 65
# MB, which only ``save_model`` needs. None in ``sys.modules`` makes the import fail as if Keras were not
# installed.
if _hide_keras := "keras" not in sys.modules:
    sys.modules["keras"] = None  # type: ignore[assignment]

import tensorflow as tf

if _hide_keras:
    del sys.modules["keras"]


@lru_cache(maxsize=1)
def configure(kind: DeviceKind, index: int, threads: int) -> None:
    """Configure TensorFlow for one device, once per process and before its first operation.

    Shards are computed in parallel (inter-op threads), while each operation uses one thread (intra-op).
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
