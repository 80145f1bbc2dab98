"""Whether there is a GPU. Torch, which takes 2 s to load, is loaded only where there is one."""

import ctypes


def visible() -> bool:
    """Return whether torch can use a GPU. CUDA_VISIBLE_DEVICES is respected, also when empty."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return False
    import torch

    return torch.cuda.is_available()
