"""A network, rows, attacks and SAEs, written here by hand."""

import pytest
import torch

from tests.support.probes import write_inputs

torch.set_num_threads(1)  # as in the package: see compute.py


@pytest.fixture(scope="session")
def inputs_folder(small_images, tmp_path_factory):
    """Where `tests.support.probes.write_inputs` wrote; read only."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder, small_images)
    return folder
