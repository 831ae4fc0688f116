"""The processor of this machine: its name, and the properties that determine the bits it computes."""

import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import Self

from lenetcli.machine.system import ROOT, printable, read_text, run_program

INSTRUCTIONS = (
    *("sse4_1", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimd", "asimdhp", "asimddp", "sve", "sve2", "i8mm", "bf16", "sme"),
)
"""The instruction sets by which oneDNN and Eigen choose their kernels, in the spelling of Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A processor: its full name, family, instruction sets, and the sizes of its data caches from L1 up."""

    name: str
    family: str
    instructions: frozenset[str]
    caches: tuple[str, ...] = ()

    @classmethod
    def from_cpuinfo(cls, text: str, caches: tuple[str, ...] = ()) -> Self:
        """The first processor in Linux' ``/proc/cpuinfo``; on ARM only the name of the board may be known."""
        facts: dict[str, str] = {}
        for line in text.splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), " ".join(value.split()))
        vendor = facts.get("vendor_id") or facts.get("CPU implementer", "unknown")
        family = f"{vendor}-{facts.get('cpu family') or facts.get('CPU part', 'unknown')}"
        names = (facts.get(key) for key in ("model name", "Model", "Hardware"))
        flags = facts.get("flags") or facts.get("Features", "")
        return cls(
            name=next(filter(None, names), f"{os.uname().machine} processor {family}"),
            family=family,
            instructions=frozenset(flags.split()),
            caches=caches,
        )

    @classmethod
    def from_sysctl(cls, text: str) -> Self:
        """The processor in the output of macOS' ``sysctl machdep.cpu hw``: one ``key: value`` per line."""
        facts = {
            key: " ".join(value.split()) for key, _, value in (s.partition(":") for s in text.splitlines())
        }
        optional = (key.split(".")[-1] for key, value in facts.items() if "optional." in key and value == "1")
        name = facts.get("machdep.cpu.brand_string") or "unknown"
        return cls(
            name=name,
            family=name,
            instructions=frozenset(key.lower().removeprefix("feat_").removesuffix("_0") for key in optional),
            caches=tuple(facts[key] for key in ("hw.l1dcachesize", "hw.l2cachesize") if key in facts),
        )

    @property
    def fingerprint(self) -> str:
        """The family, instruction sets among ``INSTRUCTIONS``, and sizes of the data caches, in one line."""
        sets = " ".join(name for name in INSTRUCTIONS if name in self.instructions)
        return " | ".join(filter(None, (self.family, sets, " ".join(self.caches))))

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes in bfloat16; elsewhere TensorFlow emulates it, slowly."""
        return not self.instructions.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


@cache
def this_processor() -> Processor:
    """The processor of this machine; determined once per process."""
    if sys.platform == "linux":
        folders = sorted((ROOT / "sys/devices/system/cpu/cpu0/cache").glob("index*"))
        caches = (read_text(path / "size") for path in folders if read_text(path / "type") != "Instruction")
        return Processor.from_cpuinfo(read_text(ROOT / "proc/cpuinfo"), tuple(caches))
    if sys.platform == "darwin":
        # It fails if it does not know one of the names, and prints what it knows all the same.
        return Processor.from_sysctl(run_program(["/usr/sbin/sysctl", "machdep.cpu", "hw"], 10, check=False))
    import platform

    name = platform.processor() or platform.machine() or "unknown"
    return Processor(name=name, family=name, instructions=frozenset())


def processor_fingerprint() -> str:
    """The properties of this processor that determine the bits it computes, in one line.

    TensorFlow's kernels choose their order of summation by instruction sets and cache sizes. Equal
    configurations give equal bits, with any number of threads, only on machines with equal fingerprints; on
    others the last digits may differ. A limit set for oneDNN by ``ONEDNN_MAX_CPU_ISA`` is part of it.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return this_processor().fingerprint + (f" | at most {printable(limit).upper()}" if limit else "")
