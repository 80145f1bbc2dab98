"""How much of what adversarial training gains a toy model comes of its shorter weights alone."""

import pandas as pd

#: Gain, over the clean model's vulnerability, that counts as one. Clean models of different seeds
#: differ by 1 to 10 %; a seed's own gain, on paired inputs, is steadier (measured).
LEAST_GAIN = 0.05
#: What measurements of one model have in common that are compared.
WHERE = ["inputs", "attack", "density"]


def shrinkage_share(toy: pd.DataFrame) -> pd.Series:
    """The share that shrinking has of the gain: (v_clean − v_shrunk) / (v_clean − v_adversarial).

    v is the vulnerability. 1: shrinking makes the clean model as robust as the adversarially trained
    one; 0: no more robust. Missing at a density, for all its seeds, where any seed gains less than
    `LEAST_GAIN`.

    toy: measurements of `toy.evaluate`, one row per model, inputs and attack.
    Returns one value per (inputs, attack, density, seed), its index.
    """
    v = toy.pivot_table("vulnerability", [*WHERE, "seed"], "training")
    gain = v["clean"] - v["adversarial"]
    noise = (gain < LEAST_GAIN * v["clean"]).groupby(level=WHERE).transform("any")
    return ((v["clean"] - v["shrunk"]) / gain).mask(noise)
