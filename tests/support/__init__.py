"""What several tests share, found one way: ``from tests.support.MODULE import …``.

pytest has the folder of the repository on its path (pyproject.toml); what is started as a program of
its own runs there, as ``python -m tests.support.MODULE``.
"""

from pathlib import Path

#: The folder of the repository.
REPO = Path(__file__).parents[2]
