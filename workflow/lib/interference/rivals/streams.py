"""The independent random streams of a seed, and what each is for."""

# The second part of a generator's seed. From 1: numpy takes the seeds (s,) and (s, 0) for the same.
INIT, BATCHES, FRAME, TURN, NOISE, SAE, DIRECTIONS, LEARNER, TARGETS = range(1, 10)
