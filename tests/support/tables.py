"""Names of tables and figures, written by hand: what tests hold the catalogue to."""

#: Tables of networks alone.
OF_NETWORKS = ("accuracy", "saes", "matched", "baselines", "l0", "fair", "splice", "interventions",
               "defences", "least")  # fmt: skip
#: Those of them that one figure per architecture shows.
DRAWN = ("accuracy", "baselines", "splice", "interventions", "defences", "least")
#: Those that claims are made from.
CLAIMED = ("accuracy", "matched", "baselines", "l0", "fair", "interventions", "defences", "least")
#: Those of an arm's section that some experiments leave out.
LEFT_OUT = ("least",)
#: Tables of canvases.
OF_CANVASES = ("dose", "crossover", "adversarial", "transfer", "proxies")
#: Of bottlenecks on networks of an experiment.
MOUNTED = "mounted"
#: Tables of the preprint's rivals, each of which a figure of its name shows.
OF_RIVALS = ("bottlenecks", "abundance")
