"""How much of what adversarial training gains a toy model has by its shorter weights alone."""

import pandas as pd

#: Gain, over the clean model's vulnerability, that counts as one. Clean models of different seeds
#: differ by 1 to 10 %; a seed's own gain, on paired inputs, is steadier (measured).
LEAST_GAIN = 0.05
WHERE = ["inputs", "attack", "density"]


def shrinkage_share(toy: pd.DataFrame) -> pd.Series:
    """(v_clean − v_shrunk) / (v_clean − v_adversarial), v the vulnerability, of each seed.

    1: shrinking makes the clean model as robust as the adversarially trained one; 0: no more robust.
    Missing at a density, for all its seeds, where any seed gains less than `LEAST_GAIN`.

    toy: the measurements of `toy.evaluate`; the index is (inputs, attack, density, seed).
    """
    v = toy.pivot_table("vulnerability", [*WHERE, "seed"], "training")
    gain = v["clean"] - v["adversarial"]
    noise = (gain < LEAST_GAIN * v["clean"]).groupby(level=WHERE).transform("any")
    return ((v["clean"] - v["shrunk"]) / gain).mask(noise)
