"""What a training asks of a GPU: ``python -m helpers.gpu_kernels FOLDER`` prints what the GPU would not do.

TensorFlow's registry knows, on any machine, which kernels a GPU has and which of their arguments are in the
memory of the host. A training on the CPU makes the operations: those of its graphs and those between them. It
is a process of its own, since it switches on determinism, for which some operations are replaced.
"""

import sys
from pathlib import Path

from helpers.made_up import make_config
from helpers.small_data import load

from lenetcli.experiment.config import Precision
from lenetcli.machine.devices import choose_device
from lenetcli.training.engine import network
from lenetcli.training.engine.backend import tf
from lenetcli.training.engine.loop import Trainer

# After ``backend``, which imports TensorFlow with the settings of lenetcli.
from tensorflow.python.framework import kernels, op_callbacks, op_def_registry  # isort: skip


def kernel_for(kind, attributes):
    """The kernel that runs an operation with these attributes on a GPU; None without one.

    DEFAULT stands for every device that has no kernel of its own.
    """
    for device in ("GPU", "DEFAULT"):
        for kernel in kernels.get_registered_kernels_for_op(kind).kernel:
            allows = all(
                attributes.get(rule.name) in rule.allowed_values.list.type for rule in kernel.constraint
            )
            if kernel.device_type == device and not kernel.label and allows:
                return kernel
    return None


def spread(arguments, attributes):
    """The name of the argument of each tensor: an argument may be a list of them."""
    for argument in arguments:
        yield from [argument.name] * (attributes[argument.number_attr] if argument.number_attr else 1)


class Walk:
    """A callback for each operation that TensorFlow makes, in a graph or to execute it at once.

    Its findings are the operations without a kernel for their types, and the inputs of operations in a graph
    that would be copied from the host to the GPU or back; what follows from constants alone is not, since
    TensorFlow computes it beforehand.
    """

    def __init__(self):
        self.findings = set()
        self._host, self._constant, self._kept = {}, set(), []

    def __call__(self, kind, inputs, attributes, outputs, op_name=None, graph=None):
        definition = op_def_registry.get(kind)
        if definition is None or kind == "Placeholder":
            return  # a function, whose operations were made before, or an argument of one
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        values = {name: getattr(value, "type", 0) or getattr(value, "i", value) for name, value in pairs}
        types = [attribute.name for attribute in definition.attr if attribute.type == "type"]
        label = " ".join([kind, *(f"{name}={tf.as_dtype(values[name]).name}" for name in types)])
        kernel = kernel_for(kind, values)
        if kernel is None:
            self.findings.add(f"no kernel: {label}")
        elif graph is not None and kind != "While":
            self._follow(label, kernel, definition, values, inputs, outputs)

    def _follow(self, label, kernel, definition, values, inputs, outputs):
        # An argument of a function is where TensorFlow keeps its type: 32-bit integers on the host.
        places = [self._host.get(id(tensor), tensor.dtype in (tf.int32, tf.resource)) for tensor in inputs]
        constant = not definition.is_stateful and all(id(tensor) in self._constant for tensor in inputs)
        for tensor, place, name in zip(inputs, places, spread(definition.input_arg, values), strict=True):
            if place != (name in kernel.host_memory_arg) and id(tensor) not in self._constant:
                self.findings.add(f"copied: {label}: {name}")
        for tensor, name in zip(outputs, spread(definition.output_arg, values), strict=True):
            self._kept.append(tensor)  # so that its id stays its own
            self._host[id(tensor)] = name in kernel.host_memory_arg
            if constant:
                self._constant.add(id(tensor))


def main(folder):
    if not tf.test.is_built_with_cuda():
        print("TensorFlow is built without CUDA")
        return
    network.WARMUP_SECONDS = 0.0
    tf.config.experimental.enable_op_determinism()
    walk = Walk()
    op_callbacks.add_op_callback(walk)
    trainer = Trainer(load(Path(folder))[1], choose_device("cpu"), 2)
    for precision in Precision:
        for momentum in (0.0, 0.9):
            config = make_config(filters=4, shards=1, precision=precision, momentum=momentum)
            trainer.prepare(config)
            (trained,) = trainer.train(config, None, range(1, 2), lambda news: None, lambda: False)
            trainer.test(config, trained.checkpoint)
    for finding in sorted(walk.findings):
        print(finding)


if __name__ == "__main__":
    main(sys.argv[1])
