"""Files that are no state dict are told for what they are, and nothing of them runs."""

import gzip
import zipfile

import numpy as np
import pytest
import torch

from interference.models.hub import CheckpointError
from interference.models.unpickle import read
from tests.support.checkpoints import body

torch.set_num_threads(1)


def test_a_whole_module_is_refused_with_how_to_save_its_weights(tmp_path):
    path = tmp_path / "mine.pt"
    torch.save(body(), path)
    with pytest.raises(CheckpointError, match="ResNet, which is no part of weights"):
        read(path)


def script(path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), path)


def exported(path):
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(1, 3),))
    with path.open("wb") as file:  # torch.export warns of other endings than .pt2
        torch.export.save(program, file)


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine.pt", b"weights")


OTHERS = {
    "TorchScript": (script, "a TorchScript archive, .*torch.jit.load"),
    "torch.export": (exported, "a program of torch.export, .*torch.export.load"),
    "numpy": (lambda path: np.savez(path.open("wb"), a=np.zeros(2)), "but numpy's; save a state"),
    "zip": (zipped, "an archive of other files; unpack it"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"weights")), "but compressed; unpack it"),
    "a page": (
        lambda path: path.write_text("\n<!DOCTYPE html>"),
        "but a web page; download the file",
    ),
    "an index": (
        lambda path: path.write_text('{"weight_map": {}}'),
        "but JSON; name the file that",
    ),
    "Git LFS": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
        "but Git LFS's pointer to a file; get the file itself: git lfs pull",
    ),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_of_another_kind_is_told_with_its_mend(kind, tmp_path):
    make, said = OTHERS[kind]
    path = tmp_path / "mine.pt"
    make(path)
    with pytest.raises(CheckpointError, match=said):
        read(path)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x04K\x01", b"PK\x03\x04broken"])
def test_a_damaged_file_is_told_and_nobody_is_told_to_run_what_it_names(content, tmp_path):
    path = tmp_path / "mine.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is no checkpoint, or a damaged one") as refused:
        read(path)
    assert "weights_only" not in str(refused.value)
