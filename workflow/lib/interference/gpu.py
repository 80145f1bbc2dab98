"""Whether there is a GPU, without loading torch where there is none: that takes 2 s of every job."""

import ctypes


def visible() -> bool:
    """Whether the job sees a GPU and torch can use it. CUDA_VISIBLE_DEVICES counts, empty too."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return False
    import torch

    return torch.cuda.is_available()
