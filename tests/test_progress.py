"""What jobs say of how far they are."""

from interference.progress import in_bytes


def test_bytes_are_readable():
    numbers = (0, 999, 1000, 1.54e9, 2e15)
    assert list(map(in_bytes, numbers)) == ["0 B", "999 B", "1 kB", "1.54 GB", "2e+03 TB"]
