"""Loops over rows of a dense matrix: what several numpy passes would make slow.

float32, or float64 for tests against autograd.
"""

from interference.kernels.compile import cached, inner
from interference.kernels.vectors import LANES


@cached
def relu_rows(pre, bias):
    """pre ← max(pre + bias, 0) in place. pre: (n, h); bias: (h,)."""
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            v = pre[r, i] + bias[i]
            pre[r, i] = v if v > 0 else 0


@cached
def gate_rows(gradient, active, shift):
    """gradient ← gradient + shift where active > 0, else 0, in place. shift: (h,)."""
    for r in range(gradient.shape[0]):
        for i in range(gradient.shape[1]):
            if active[r, i] > 0:
                gradient[r, i] += shift[i]
            else:
                gradient[r, i] = 0


@inner
def lane_dot(a, b, lanes):
    """a · b, lane by lane and then halves added, so that it vectorises in one order. lanes: scratch.

    `gathered.dot` rounds each product and sum once together, this rounds twice.
    """
    d = a.shape[0]
    whole = d - d % LANES
    lanes[:] = 0
    for start in range(0, whole, LANES):
        for e in range(LANES):
            lanes[e] += a[start + e] * b[start + e]
    for c in range(whole, d):
        lanes[c - whole] += a[c] * b[c]
    width = LANES // 2
    while width:
        for e in range(width):
            lanes[e] += lanes[e + width]
        width //= 2
    return lanes[0]
