"""Names of tables and figures, written by hand: what tests hold the catalogue to."""

#: Tables of networks alone.
OF_NETWORKS = ("accuracy", "saes", "matched", "baselines", "l0", "fair", "splice", "interventions",
               "defences", "least", "structure", "exchange")  # fmt: skip
#: Those of them that one figure per architecture shows.
DRAWN = ("accuracy", "baselines", "splice", "interventions", "defences", "least", "structure")
#: Those that claims are made from.
CLAIMED = ("accuracy", "matched", "baselines", "l0", "fair", "interventions", "defences", "least",
           "structure", "exchange")  # fmt: skip
#: Those of an arm's section that some experiments leave out.
LEFT_OUT = ("least", "structure", "exchange")
#: Those of networks that the tiny experiment has, and what it lacks.
LACKED = ("structure", "exchange")
IN_TINY = tuple(name for name in OF_NETWORKS if name not in LACKED)
#: Tables of canvases.
OF_CANVASES = ("dose", "crossover", "adversarial", "transfer", "proxies")
#: Of bottlenecks on networks of an experiment.
MOUNTED = "mounted"
#: Tables of the preprint's rivals, each of which a figure of its name shows.
OF_RIVALS = ("bottlenecks", "abundance", "interpretability", "relearning", "overlap")
