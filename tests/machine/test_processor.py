"""Processors: names, fingerprints, bfloat16."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from lenetcli.machine import processor
from lenetcli.machine.processor import Processor

EPYC = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD  EPYC 9B45   Processor
flags		: fpu sse4_1 fma avx avx2 avx512f avx512_bf16

processor	: 1
vendor_id	: AuthenticAMD
model name	: another
"""

GRAVITON = """\
processor	: 0
Features	: fp asimd asimdhp sve bf16 i8mm
CPU implementer	: 0x41
CPU part	: 0xd40
"""

RASPBERRY = """\
processor	: 0
Features	: fp asimd
CPU implementer	: 0x41
CPU part	: 0xd08

Hardware	: BCM2835
Model		: Raspberry Pi 4 Model B Rev 1.4
"""

MACBOOK = """\
machdep.cpu.brand_string: Apple M2
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
hw.optional.floatingpoint: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
"""


def test_a_processor_of_linux_has_name_fingerprint_and_bfloat16():
    epyc = Processor.from_cpuinfo(EPYC, ("48K", "1024K"))
    assert epyc.name == "AMD EPYC 9B45 Processor"
    assert epyc.fingerprint == "AuthenticAMD-26 | sse4_1 avx fma avx2 avx512f avx512_bf16 | 48K 1024K"
    assert epyc.has_bfloat16
    assert not Processor.from_cpuinfo(EPYC.replace("avx512_bf16", "")).has_bfloat16


def test_the_fingerprint_tells_apart_what_decides_the_bits_and_nothing_else():
    epyc = Processor.from_cpuinfo(EPYC)
    same = (
        EPYC.replace("fpu sse4_1", "sse4_1 sgx"),
        EPYC.replace("9B45", "9655"),
        EPYC.replace("model		: 2", "model : 3"),
    )
    other = (EPYC.replace("avx512f", ""), EPYC.replace("AMD", "INTEL"), EPYC.replace(": 26", ": 25"))
    assert {Processor.from_cpuinfo(text).fingerprint for text in same} == {epyc.fingerprint}
    assert epyc.fingerprint not in {Processor.from_cpuinfo(text).fingerprint for text in other}
    assert Processor.from_cpuinfo(EPYC, ("32K",)).fingerprint != epyc.fingerprint


def test_arm_processors_have_the_best_name_there_is():
    graviton, raspberry = Processor.from_cpuinfo(GRAVITON), Processor.from_cpuinfo(RASPBERRY)
    assert graviton.name.endswith("processor 0x41-0xd40")
    assert graviton.fingerprint == "0x41-0xd40 | asimd asimdhp sve i8mm bf16"
    assert graviton.has_bfloat16
    assert raspberry.name == "Raspberry Pi 4 Model B Rev 1.4"
    assert not raspberry.has_bfloat16


def test_a_processor_of_macos_is_read_from_sysctl():
    apple = Processor.from_sysctl(MACBOOK)
    assert apple.name == "Apple M2"
    assert apple.has_bfloat16
    assert apple.fingerprint == "Apple M2 | bf16 | 65536 4194304"


KEYS = (
    "model name",
    "vendor_id",
    "CPU part",
    "flags",
    "machdep.cpu.brand_string",
    "hw.optional.",
    "hw.l2cachesize",
    "",
)


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.text()).map(": ".join), max_size=6).map("\n".join))
def test_no_text_breaks_the_readers(text):
    for found in (Processor.from_cpuinfo(text), Processor.from_sysctl(text)):
        assert found.name
        assert found.fingerprint


def test_a_limit_set_for_onednn_is_part_of_the_fingerprint(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    whole = processor.processor_fingerprint()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert processor.processor_fingerprint() == f"{whole} | at most AVX2"


def test_the_fingerprint_and_name_of_this_machine_are_one_line_and_the_same_in_another_process():
    code = (
        "from lenetcli.machine import processor\n"
        "print(processor.this_processor().name)\nprint(processor.processor_fingerprint())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [processor.this_processor().name, processor.processor_fingerprint()]
