"""The processor that kernels are compiled for."""

import llvmlite.binding as llvm


def processor() -> str:
    """Its name as LLVM has it, such as znver5."""
    return str(llvm.get_host_cpu_name())
