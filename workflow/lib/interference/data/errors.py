"""The error of datasets."""

from interference.provenance import InterferenceError


class DatasetError(InterferenceError):
    """A dataset's files are missing, damaged, too few, or contradict each other or the config."""
