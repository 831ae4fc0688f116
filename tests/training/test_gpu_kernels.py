"""What a GPU would not compute, or only with copies to the host, as TensorFlow's registry of kernels has it.

An operation without a kernel for a GPU runs on the processor without a word, and what it reads is copied
there for each batch. What refuses to be deterministic when it runs is not seen here (docs/performance.md).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

HARMLESS = {
    "copied: Identity T=bool: input": "the loop's predicate: TensorFlow removes this operation",
}
"""What may be found, with the reason."""


def test_a_gpu_has_a_kernel_for_every_operation_and_copies_nothing_within_a_step(tmp_path):
    walk = subprocess.run(
        [sys.executable, "-m", "helpers.gpu_kernels", str(tmp_path / "digits")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
    )
    found = walk.stdout.splitlines()
    if "TensorFlow is built without CUDA" in found:
        pytest.skip("TensorFlow is built without CUDA: it has no kernels for a GPU")
    assert found == sorted(HARMLESS)
