# The checked config, the specs of all jobs, and the folders that rules write to.
import gc
import shlex

from interference.plan.catalogue import FIGURES, PAGE, TABLES
from interference.plan.entries import wildcards as wildcards_of
from interference.config.load import (
    ConfigError,
    check_path,
    check_writable,
    read_workflow,
)
from interference.plan.outputs import ask_before_planning
from interference.plan.jobs import describe, missing
from interference.plan.specs import Specs

# What is loaded by now is no garbage: to look for it again and again is a quarter of a dry run.
gc.freeze()

try:
    experiment = read_workflow(workflow)
    check_writable("results")
except ConfigError as error:
    raise WorkflowError(str(error)) from None

# A dry run plans without the files of another place; the jobs that read them refuse to start.
for line in missing(experiment):
    print(line, file=sys.stderr)

specs = Specs(experiment)
ask_before_planning(workflow)

# Jobs find `interference` beside the Python that runs Snakemake, whatever the shell's PATH, and packages
# there alone. Snakemake takes braces in the prefix for names.
beside = (
    shlex.quote(str(Path(sys.executable).parent)).replace("{", "{{").replace("}", "}}")
)
shell.prefix(f'export PATH={beside}:"$PATH" PYTHONNOUSERSITE=1; ')

RESULTS = f"results/{experiment.experiment}"
DATA = f"{RESULTS}/data"
MODELS = f"{RESULTS}/models"
ATTACKS = f"{RESULTS}/attacks"
ACTIVATIONS = f"{RESULTS}/activations"
SAES = f"{RESULTS}/saes"
PROBES = f"{RESULTS}/probes"
TOY = f"{RESULTS}/toy"
CANVAS = f"{RESULTS}/canvas"
RIVALS = f"{RESULTS}/rivals"
ANALYSIS = f"{RESULTS}/analysis"
REPORT = f"{RESULTS}/report"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"


def scaled(first):
    """A resource that grows with the attempt: twice as much for the second, thrice for the third."""
    return lambda wildcards, attempt: attempt * first


def launcher(wildcards, resources):
    """What starts the verb once a rank, where a profile names it: its resource `mpi`. Snakemake does
    not track a param that reads resources, so ranks rerun nothing."""
    return resources.get("mpi", "")


def decoders(wildcards):
    """Cores of the job that decodes pictures: all that Snakemake has here, up to where whoever
    writes the store keeps them waiting. On a cluster cpus_per_task says it, which no core of the
    machine that submits clips."""
    return 16 if specs.pictures and workflow.local_exec else 1


def workers(wildcards, threads, resources):
    """Processes that decode pictures: as many as the job was given CPUs. Neither this nor threads are
    tracked by Snakemake, so that cores rerun nothing."""
    return resources.get("cpus_per_task") or threads


def of_next(path):
    """Paths of the next layer's PATH, of one SAE type each where PATH has {type}; the last has none."""

    def paths(wildcards):
        following = specs.next_layer(wildcards.layer)
        folder = f"{wildcards.model}/{following}"
        return specs.paths(path.replace("{folder}", folder)) if following else []

    return paths


def of_layers(path):
    """PATH of a model for each of its layers, of the SAE type of baselines where it has {peer}."""
    return specs.paths(path, model="{model}")


def of_regime(path, **given):
    """PATH of a regime for each family that it names, and each seed where none is given."""
    return specs.paths(path, regime="{regime}", **given)


def one_of(names):
    """A wildcard's constraint: one of the names; where there are none, nothing matches."""
    return "|".join(names) or "(?!)"


# The rules are the same for every experiment. Of an arm that it lacks nothing is asked for, no path
# matches, and specs that read a section of it stay functions that nobody calls.
wildcard_constraints:
    model=one_of(specs.models),
    trained=one_of(specs.trained),
    converted=one_of(specs.converted),
    architecture=one_of(specs.architectures),
    seed=r"\d+",
    trial=r"\d+",
    part=r"\d+",
    attack=one_of(specs.attacks),
    layer=one_of(specs.layers),
    type=one_of(specs.sae_types),
    family=one_of(specs.trained_families),
    regime=one_of(specs.regimes),


def each(path, **given):
    """The path under results for each way to fill its wildcards."""
    return [f"{RESULTS}/{filled}" for filled in specs.paths(path, **given)]


def made_of(suffix):
    """The output of another job that a control is made of, as an input function; other methods have none."""

    def of(wildcards):
        source = specs.source(wildcards.model, wildcards.attack)
        return f"{ATTACKS}/{source[0]}/{source[1]}{suffix}" if source else []

    return of


def inputs(entry):
    """The inputs of a rule of the catalogue's entry by name; its own wildcards stay wildcards in them."""
    own = {name: f"{{{name}}}" for name in wildcards_of(entry.path)}
    return {
        name: each(files.path, **own) for name, files in specs.inputs(entry).items()
    }


def by_name(wildcards, input):
    """The inputs on a shell line, each under its name: `--accuracy PATH --saes PATH PATH`. A param, since
    a rule's shell line is put together when its job runs, when a loop is at its last entry; Snakemake
    does not track a param that reads the input."""
    return " ".join(f"--{name} {shlex.join(paths)}" for name, paths in input.items())


def spec_of_table(table):
    """The param of its rule. A function of its own, since a loop's lambdas all see its last table."""
    return lambda wildcards: specs.table(table.name)


def spec_of_figure(figure):
    return lambda wildcards: specs.figure(figure.name, **dict(wildcards.items()))


def outputs(entries, suffix):
    """Of every job of tables or figures, the main output."""
    return [
        f"{ANALYSIS}/{entry.path.format(**which)}{suffix}"
        for entry in entries
        for which in specs.jobs(entry)
    ]


def tables():
    """Every table of the experiment."""
    return outputs(TABLES, ".parquet")


def figures():
    """Every figure of the experiment."""
    return outputs(FIGURES, ".svg")


def kept(path):
    """An output that is removed once all that read it ran, where the config does not keep it."""
    return (
        path
        if experiment.activations is None or experiment.activations.keep
        else temp(path)
    )


def training(wildcards):
    """Labels of a network in the report."""
    model = specs.models[wildcards.model]
    norm = {"clean": "none", "l2": "L2", "linf": "Linf"}[model.norm]
    return {
        "trained against": norm,
        "epsilon": f"{model.epsilon:g}",
        "seed": str(model.seed),
    }


onstart:
    if workflow.non_local_exec:
        try:
            check_path(sys.executable)
        except ConfigError as error:
            raise WorkflowError(str(error)) from None
    print(describe(experiment), file=sys.stderr)
    # Snakemake 9.27 looks for work when a job has ended and, from then on, once per time span of its rate
    # limit, so that its CPU use grows with the square of the jobs, to a quarter of a core after 120 of 700. No
    # option takes the limit away. One that somebody has set stays.
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
