"""The environment of a verb, whatever the shell that starts it has set.

Libraries read the environment when they are imported: a notebook's backend fails every figure, kernels
that are not compiled take hours, other instructions give other bytes. A job's numbers come from its
spec alone, so what could change them is put right here, before any library is loaded. What says where
things are stays the user's: GPUs, a launcher's ranks, the hub, caches and temporary folders.
"""

import getpass
import io
import os
import sys
import warnings
from pathlib import Path

#: Variables that every verb runs under.
_FIXED = {
    # one thread in every numeric library that a verb may load: see compute.py
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # figures go to files, and no settings of the user's are read: see analysis/figures/style.py
    "MPLBACKEND": "agg",
    "MATPLOTLIBRC": os.devnull,
}
#: Beginnings of names of variables that change what is computed, or break what computes it.
_DROPPED = (
    "NUMBA_",
    "ZARR_",
    # instructions other than the processor's own; OPENBLAS_CORETYPE is its name, where it cannot be seen
    "ATEN_",
    "NPY_",
    "DNNL_",
    "ONEDNN_",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_DEBUG_CPU_TYPE",
    # products on a GPU
    "NVIDIA_TF32_OVERRIDE",
    "CUBLAS",
    "TORCH_ALLOW_",
    "TORCH_BLAS_",
    "TORCH_LINALG_",
    # what fails on a value that it does not know
    "TORCH_LOGS",
    "SOURCE_DATE_EPOCH",
)
#: Folder of what Snakemake reads, below the folder of caches.
_SNAKEMAKE = "snakemake/snakemake/source-cache/snakemake-runtime-cache"


def settle() -> None:
    """Set the environment of a verb; called before any library that computes or draws is imported."""
    for name in [name for name in os.environ if name.startswith(_DROPPED)]:
        del os.environ[name]
    os.environ.update(_FIXED)
    if os.environ.pop("PYTHONWARNINGS", None):  # Python's own: no library's warning fails a job
        sys.warnoptions.clear()
        warnings.resetwarnings()
        for kind in (DeprecationWarning, ImportWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
    if isinstance(sys.stdout, io.TextIOWrapper):  # nor does a terminal without ε
        sys.stdout.reconfigure(errors="backslashreplace")
    settle_home()


def settle_home() -> None:
    """Set what Snakemake cannot start without: a folder for caches, and a user's name.

    Where the user's caches cannot be written (HOME is read-only, or missing), they are in
    ``.snakemake/cache`` of the working directory. In a container a user may be a number alone.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not (os.path.isabs(user) and _can_be_written(Path(user, _SNAKEMAKE))):
        os.environ["XDG_CACHE_HOME"] = str(Path(".snakemake", "cache").absolute())


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
