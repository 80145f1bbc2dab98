"""The controller of a run: a small job that submitit starts anew, with Snakemake as its child.

Before its time limit Slurm sends a signal; the controller then kills Snakemake, leaves its jobs alone
and is put back into the queue. When it starts again, after that or because its node failed, it waits
for the jobs that are left (`orphans`), removes the lock of the Snakemake that it killed (`locks`), and
lets Snakemake resume.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from submitit.core.utils import DelayedSubmission
from submitit.helpers import Checkpointable

from interference.cluster import adoption, locks, orphans, processes
from interference.cluster.claims import FREE, Claim, Claims, starts
from interference.cluster.request import LaunchError
from interference.cluster.slurm import job_prefix
from interference.progress import say
from interference.provenance import InterferenceError

#: Variable that marks the processes of a run's Snakemake.
MARK = "INTERFERENCE_RUN"
#: Seconds between two looks at Snakemake and its locks.
_POLL = 1.0


@dataclass(frozen=True)
class Run:
    """What a controller needs to know, small enough to wait in a queue.

    launch: id of its launch
    cluster: slurm or local, where the controller is
    arguments: all arguments of Snakemake
    executor: slurm or local, where the jobs are
    folder: the working directory
    results: the experiment's results folder, relative to the working directory
    devices: CUDA_VISIBLE_DEVICES of the launch; submitit's local executor hides all
    """

    launch: str
    cluster: str
    arguments: tuple[str, ...]
    executor: str
    folder: Path
    results: str
    devices: str | None

    @property
    def prefix(self) -> str:
        """What the names of its jobs begin with."""
        return job_prefix(self.folder / self.results)


class Controller(Checkpointable):
    """What submitit calls at each start; it ends with the exit code of a Snakemake that failed."""

    def __init__(self, run: Run):
        self.run = run
        self._claims = Claims(run.folder / run.results)
        self._number = 0
        self._claim: Claim | None = None
        self._child: subprocess.Popen | None = None

    def __call__(self) -> None:
        signal.signal(signal.SIGTERM, self._terminated)
        os.chdir(self.run.folder)
        if not self._take_over():
            return
        try:
            self._clear()
        except InterferenceError as error:
            say(f"error: {error}")
            self._update(replace(self._own, state="ended", exit_code=1))
            raise SystemExit(1) from None
        code = self._snakemake()
        if code < 0:
            say(f"Snakemake was killed by signal {-code}; where memory was short: --memory")
            self._end_child()
            code = 128 - code
        self._update(replace(self._own, state="ended", exit_code=code, session=0, locks={}))
        if code:
            raise SystemExit(code)

    def checkpoint(self) -> DelayedSubmission:
        """Kill Snakemake, leave its jobs alone, and wait in the queue for another start."""
        say("the time of this controller is over: Snakemake ends, its jobs go on")
        self._end_child()
        if self._claim is not None:
            self._update(replace(self._claim, state="requeued"))
        return DelayedSubmission(Controller(self.run))

    def _take_over(self) -> bool:
        """Claim the run; False where another launch, or a stop, came since."""
        while True:
            claims = self._claims.all()
            if claims[-1].launch != self.run.launch or claims[-1].state in FREE:
                say(f"the run is {claims[-1].state} by {claims[-1].who}: nothing to do here")
                return False
            job = os.environ.get("SLURM_JOB_ID", "") if self.run.cluster == "slurm" else ""
            claim = Claim(
                launch=self.run.launch,
                state="running",
                cluster=self.run.cluster,
                job=job or claims[-1].job,
                executor=self.run.executor,
            )
            if self._claims.take(len(claims) + 1, claim):
                self._number, self._claim = len(claims) + 1, claim
                number = sum(earlier.launch == claim.launch for earlier in claims)
                say(f"start {number} of this controller: {claim.who}, on {claim.host}")
                return True

    def _clear(self) -> None:
        """Wait for jobs that are left, remove locks of this run's dead Snakemake, record their work."""
        run, earlier = self.run, self._claims.all()[: self._number - 1]
        for claim in earlier:
            if claim.session and claim.host == self._own.host:
                processes.end_session(claim.session, (MARK, run.prefix))
        if run.executor == "slurm":
            look = partial(orphans.left, run.prefix, run.results, run.folder)
            orphans.wait(look, orphans.settle_after(earlier, self._own.host))
        held = locks.locks_on(run.results, run.folder)
        if strange := locks.foreign(held, (claim.locks for claim in earlier)):
            raise LaunchError(locks.complaint(run.results, strange, run.folder))
        locks.remove(held, run.folder)
        plan = adoption.plan_digest(run.arguments, run.folder)
        for last in [claim for claim in starts(earlier) if claim.plan][-1:]:
            same = last.plan == plan
            adoption.adopt(run.arguments, run.folder, last.born, unchanged=same)
        self._update(replace(self._own, plan=plan))  # from here on its jobs are this start's

    def _snakemake(self) -> int:
        """Run Snakemake to its end; returns its exit code, or minus the signal that killed it."""
        run = self.run
        command = [sys.executable, "-m", "snakemake", *run.arguments]
        environment = processes.cleaned(os.environ) | {MARK: run.prefix}
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        if run.devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = run.devices
        self._child = processes.start(command, run.folder, environment)
        self._update(replace(self._own, session=self._child.pid))
        while True:
            try:
                return self._child.wait(_POLL)
            except subprocess.TimeoutExpired:
                self._look()

    def _look(self) -> None:
        """Note Snakemake's locks once it has them; end where another start has taken the run over."""
        if self._claims.path(self._number + 1).exists():
            say("another start of this controller has taken over: Snakemake ends here")
            self._end_child()
            raise SystemExit(1)
        if not self._own.locks:
            held = locks.locks_on(self.run.results, self.run.folder)
            if held:
                self._update(replace(self._own, locks=held))

    def _end_child(self) -> None:
        """Kill Snakemake and what it runs on this machine, and remove its lock."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            processes.end_session(self._child.pid, (MARK, self.run.prefix))
            locks.remove(self._own_locks(), self.run.folder)
            self._update(replace(self._own, session=0, locks={}))

    def _own_locks(self) -> locks.Locks:
        """Locks of this start's Snakemake: all on the results, since there were none before it started.
        Empty where another start has taken over, whose Snakemake may have made them."""
        if any(claim.session for claim in self._claims.all()[self._number :]):
            return {}
        return locks.locks_on(self.run.results, self.run.folder)

    def _terminated(self, *_: object) -> None:
        """End at once where `stop` asks for it; Slurm signals a job that it preempts and requeues, too."""
        if self._claims.all()[-1].state == "stopping":
            self._end_child()
            if self._claim is not None:
                self._update(replace(self._claim, state="ended"))
            raise SystemExit(128 + signal.SIGTERM)

    @property
    def _own(self) -> Claim:
        """The claim of this start, which has taken over."""
        assert self._claim is not None
        return self._claim

    def _update(self, claim: Claim) -> None:
        self._claim = self._claims.update(self._number, claim)
