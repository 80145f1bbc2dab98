"""A job that says in the journal when it starts, that it lives, and when it ends; held by a file.

It goes on once there is a file `go`. It writes the first half of its output as it starts and the
second as it ends, so that two writers, or one that was stopped, leave something else.
"""

import json
import os
import sys
import time
from pathlib import Path

HALF = "0123456789" * 20


def tell(event: str, **facts: object) -> None:
    """Append a line to the journal: one write, which does not mix with another's."""
    line = json.dumps({"event": event, "process": os.getpid(), "time": time.time(), **facts})
    journal = os.open("journal.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, f"{line}\n".encode())
    os.close(journal)


def main(output: str, attempt: str, megabytes: str) -> None:
    slurm, node = int(os.environ["SLURM_JOB_ID"]), os.environ["SLURMD_NODENAME"]
    tell("start", output=output, attempt=int(attempt), slurm=slurm, node=node)
    filled = b"x" * (int(megabytes) << 20)
    with open(output, "w", encoding="utf-8") as file:
        file.write(HALF)
        file.flush()
        while not Path("go").exists():
            time.sleep(0.1)
            tell("alive")
        file.write(HALF)
    del filled
    tell("end")


if __name__ == "__main__":
    main(*sys.argv[1:])
