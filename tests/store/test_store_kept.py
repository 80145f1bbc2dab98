"""Finished work in hidden files: what was written for an identity comes back for it alone, whole."""

import numpy as np
import pytest

from interference.store.files import StoreError
from interference.store.tensors import read_kept, read_tensors, write_kept, write_tensors

IDENTITY = {"sae": "abc", "images": [50, 9], "code": {"digest": "0123"}}
ARRAYS = {
    "l0": np.random.default_rng(0).standard_normal((2, 3, 4)),
    "correct": np.array([[True, False, True]]),
    "images": np.array(9),
    "none": np.zeros((0, 3)),
    "loss": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
}


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / ".x.member.safetensors"
    write_kept(path, ARRAYS, IDENTITY)
    return path


def test_what_was_kept_comes_back_with_its_types_and_shapes(kept):
    arrays = read_kept(kept, IDENTITY)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(arrays[name], array)


def test_bytes_do_not_depend_on_the_order_of_names(kept, tmp_path):
    write_kept(tmp_path / "again", dict(reversed(ARRAYS.items())), IDENTITY)
    assert (tmp_path / "again").read_bytes() == kept.read_bytes()


def test_nothing_is_kept_where_there_is_no_file(tmp_path):
    assert read_kept(tmp_path / "nothing.safetensors", IDENTITY) is None


def test_every_flipped_byte_is_told_with_the_mend(kept):
    whole, messages = kept.read_bytes(), []
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        kept.write_bytes(damaged)
        try:
            arrays = read_kept(kept, IDENTITY)
        except StoreError as error:
            messages.append(str(error))
        else:  # of what only fills up the header, nothing is lost
            assert arrays.keys() == ARRAYS.keys()
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(arrays[name], array)
    assert len(messages) > 0.9 * len(whole)
    for message in messages:
        assert message.startswith(f"{kept} is damaged")
        assert message.endswith("remove it and run snakemake")


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_told(kept, length):
    kept.write_bytes(kept.read_bytes()[:length])
    with pytest.raises(StoreError, match="is damaged"):
        read_kept(kept, IDENTITY)


def with_another_value(arrays):
    return {**arrays, "l0": arrays["l0"] + 1e-9}


def without_an_array(arrays):
    return {name: array for name, array in arrays.items() if name != "correct"}


def under_another_name(arrays):
    return {name.replace("loss", "lost"): array for name, array in arrays.items()}


def in_another_shape(arrays):
    return {**arrays, "l0": arrays["l0"].reshape(3, 2, 4)}


def of_another_type(arrays):
    return {**arrays, "correct": arrays["correct"].view(np.uint8)}


@pytest.mark.parametrize(
    "change",
    [
        with_another_value,
        without_an_array,
        under_another_name,
        in_another_shape,
        of_another_type,
    ],
)
def test_arrays_that_are_not_those_of_the_digest_are_told(change, kept):
    arrays, content = read_tensors(kept)
    write_tensors(kept, change(arrays), content)
    with pytest.raises(StoreError, match="is damaged; remove it and run snakemake"):
        read_kept(kept, IDENTITY)


@pytest.mark.parametrize("identity", [{**IDENTITY, "sae": "abd"}, {**IDENTITY, "new": 1}, None])
def test_a_file_of_another_identity_is_never_taken(identity, kept):
    with pytest.raises(StoreError, match="is damaged"):
        read_kept(kept, identity)
