"""Do adversarial examples come from superposition? `snakemake -n` shows the plan."""

from snakemake.utils import min_version

min_version("9.5")

# `--config key=value` alone changes the default; it does not replace it.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


# What `--sdm apptainer` runs jobs in; built from envs/interference.def. Unused otherwise.
container: "envs/interference.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/attacks.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/saes.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/toy.smk"
include: "workflow/rules/canvas.smk"
include: "workflow/rules/rivals.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        tables(),
        figures(),
        f"{REPORT}/page.html",
