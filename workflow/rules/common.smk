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


onstart:
    print(describe(experiment), file=sys.stderr)
