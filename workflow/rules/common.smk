# The checked config, the specs of all jobs, and the folders that rules write to.
from interference.config.load import ConfigError, check_config, check_writable
from interference.config.plan import describe
from interference.config.specs import Specs

try:
    experiment = check_config(config)
    check_writable("results")
except ConfigError as error:
    raise WorkflowError(str(error)) from None

specs = Specs(experiment)

# Jobs find `interference` beside the Python that runs Snakemake, whatever the shell's PATH.
shell.prefix(f"export PATH={Path(sys.executable).parent}:$PATH; ")

RESULTS = f"results/{experiment.experiment}"
DATA = f"{RESULTS}/data"
MODELS = f"{RESULTS}/models"
ATTACKS = f"{RESULTS}/attacks"
ACTIVATIONS = f"{RESULTS}/activations"
SAES = f"{RESULTS}/saes"
TOY = f"{RESULTS}/toy"
ANALYSIS = f"{RESULTS}/analysis"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"


wildcard_constraints:
    model="|".join(specs.models),
    seed=r"\d+",
    attack="|".join(specs.attacks),
    layer="|".join(specs.layers),
    type="|".join(specs.sae_types),
    norm="l2|linf",


def each_sae(path):
    """The path of each (model, layer, type), filled in."""
    return expand(path, model=specs.models, layer=specs.layers, type=specs.sae_types)


def tables():
    """Every table of the experiment."""
    names = ["accuracy", "saes", "matched", "l0", "toy", "claims"]
    return [f"{ANALYSIS}/tables/{name}.parquet" for name in names]


def figures():
    """Every figure of the experiment."""
    norms = sorted({method.norm for method in experiment.attacks.methods.values()})
    names = ["toy", "toy_attacks", "toy_controls", "toy_elhage"]
    names += ["toy_geometry", "toy_interference", "toy_densities", "accuracy"]
    names += [f"fvu/{layer}" for layer in specs.layers]
    names += [f"matched/{sae_type}" for sae_type in specs.sae_types]
    names += [f"l0/{model}.{norm}" for model in specs.models for norm in norms]
    return [f"{ANALYSIS}/figures/{name}.svg" for name in names]


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
    print(describe(experiment), file=sys.stderr)
