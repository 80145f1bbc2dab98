"""Requests for a launch: a profile, Snakemake's own arguments, and the experiment that they name.

The arguments are read by Snakemake's own parser, and the config is put together as Snakemake does, so
that what is checked here is what will run.
"""

import io
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from interference.config.load import check_config
from interference.config.schema import Config
from interference.provenance import InterferenceError

#: Arguments that a controller cannot honour, as Snakemake's parser calls them, and why.
_REFUSED = {
    "force": "a controller that starts again would make it once more; remove the output instead",
    "forceall": "a controller that starts again would begin anew; remove the results instead",
    "forcerun": "a controller that starts again would make them once more; remove the outputs instead",
    "nolock": "the lock keeps a second Snakemake from the same outputs",
    "unlock": "run `snakemake --unlock` itself, once no Snakemake runs in this folder",
    "directory": "launch in that folder instead",
    "cleanup_metadata": "run snakemake itself with it",
    "touch": "run snakemake itself with it",
}
#: Options that launch itself gives to Snakemake.
_OWN = {
    "--slurm-jobname-prefix": "a launch knows its jobs by it",
    "--profile": "it stands before, as an option of launch",
}


class LaunchError(InterferenceError):
    """A run cannot be launched as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Request:
    """A run that can be started.

    profile: a folder or file, absolute; None: Snakemake looks for profiles/default itself
    arguments: Snakemake's arguments, as they were given
    executor: slurm or local; local jobs run on the controller's machine
    folder: the working directory
    dry_run: whether the plan is asked for and no run
    """

    profile: Path | None
    arguments: tuple[str, ...]
    executor: str
    folder: Path
    config: Config
    dry_run: bool

    @property
    def results(self) -> str:
        """The experiment's results folder, relative to the working directory."""
        return f"results/{self.config.experiment}"


def read(profile: str | None, arguments: Sequence[str], folder: Path) -> Request:
    """Check what a launch is asked for. Raises LaunchError and ConfigError.

    profile: a path, or a name that is looked for where Snakemake looks, then in ``profiles/``
    """
    _refuse(arguments)
    place = find_profile(profile, folder) if profile else None
    chosen = ["--profile", str(place)] if place else []
    parsed = _parse([*chosen, *arguments])
    _check(parsed)
    return Request(
        profile=place,
        arguments=tuple(arguments),
        executor=parsed.executor or "local",
        folder=folder,
        config=check_config(_config(parsed)),
        dry_run=parsed.dryrun,
    )


def config_of(arguments: Sequence[str]) -> Config:
    """The config that Snakemake reads here with these arguments. Raises LaunchError, ConfigError."""
    return check_config(_config(_parse(list(arguments))))


def find_profile(name: str, folder: Path) -> Path:
    """The profile with this name or path, absolute. Raises LaunchError, which says where it looked."""
    from snakemake.cli import get_appdirs, get_profile_dir

    located = get_profile_dir(name) or get_profile_dir(str(folder / "profiles" / name))
    if located is None:
        user, site = get_appdirs().user_config_dir, get_appdirs().site_config_dir
        places = [str(Path(place, name)) for place in (folder, user, site, folder / "profiles")]
        raise LaunchError(
            f"no profile {name!r}: none of {', '.join(places)} is a folder with a config.yaml; "
            "profiles/slurm is this workflow's for Slurm"
        )
    place, file = located
    return (file if Path(name).is_file() else place).absolute()


def _refuse(arguments: Sequence[str]) -> None:
    for option, why in _OWN.items():
        if any(argument.partition("=")[0] == option for argument in arguments):
            raise LaunchError(f"{option} cannot be given after the `--`: {why}")


def _parse(arguments: list[str]) -> Namespace:
    from snakemake.cli import parse_args
    from snakemake.exceptions import CliException
    from snakemake_interface_common.exceptions import WorkflowError

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parse_args(arguments)[1]
    except SystemExit:
        line = said.getvalue().strip().rpartition("error: ")[2]
        raise LaunchError(f"snakemake does not take these arguments: {line}") from None
    except (CliException, WorkflowError, ValueError) as error:
        raise LaunchError(f"snakemake does not take these arguments: {error}") from None


def _check(parsed: Namespace) -> None:
    for name, why in _REFUSED.items():
        if getattr(parsed, name):
            option = "--" + name.replace("_", "-")
            raise LaunchError(f"{option} cannot be given to a launch: {why}")
    if str(parsed.persistence_backend) != "file":
        raise LaunchError("--persistence-backend: found db, a launch reads locks from files: file")


def _config(parsed: Namespace) -> dict:
    """The values of the config as the Snakefile gets them: files in order, then single values."""
    from snakemake.cli import parse_config
    from snakemake.common.configfile import load_configfile
    from snakemake.exceptions import CliException
    from snakemake.utils import update_config
    from snakemake_interface_common.exceptions import WorkflowError

    config: dict = {}
    try:
        for path in parsed.configfile or []:
            update_config(config, load_configfile(path))
        update_config(config, parse_config(parsed.config))
        return config or load_configfile("config.yaml")
    except (CliException, WorkflowError, OSError, ValueError) as error:
        raise LaunchError(f"the config cannot be read: {error}") from None
