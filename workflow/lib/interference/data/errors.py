"""What is wrong with a dataset, in words that say what to do."""

from interference.provenance import InterferenceError


class DatasetError(InterferenceError):
    """A dataset's files are missing, damaged, too few, or do not fit together or the config."""
