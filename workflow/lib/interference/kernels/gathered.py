"""Sums over the rows of a matrix that an index names, in registers.

A sparse code has k of h latents active in a row, so decoding it adds k rows of the decoder, and the
gradient of a latent adds the rows of the batch in which it is active. Lanes are added side by side with
fused multiply-adds, so every bit follows from the source alone. float32, or float64 for tests.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from interference.kernels.compile import cached, inner
from interference.kernels.vectors import LANES, Vectors, lane_sum, require_contiguous


class _Gathered(Vectors):
    """The rows of a matrix that an index, int32, names."""

    def __init__(self, context, builder, index_kind, index, kind, matrix):
        super().__init__(context, builder, kind, matrix, LANES)
        self.index = context.make_array(index_kind)(context, builder, index).data

    def named(self, j):
        """The row that the index names at j."""
        i = self.builder.load(self.builder.gep(self.index, [j]))
        return self.row(self.builder.zext(i, ir.IntType(64)))


def _combine(vectors):
    """out[c:] = Σ_j factor[j] · matrix[index[j], c:] over begin ≤ j < end, ``vectors`` · LANES
    columns, in registers. index: int32; out: (d,)."""

    @intrinsic
    def combine(typing, index, factor, begin, end, matrix, out, c):
        require_contiguous(index, factor, matrix, out)

        def generate(context, builder, signature, arguments):
            index, factor, begin, end, matrix, out, c = arguments
            kinds = signature.args
            rows = _Gathered(context, builder, kinds[0], index, kinds[4], matrix)
            factors = Vectors(context, builder, kinds[1], factor).first
            target = Vectors(context, builder, kinds[5], out).first
            columns = [builder.add(c, c.type(v * LANES)) for v in range(vectors)]
            sums = [rows.total() for _ in columns]
            with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (j, _):
                row = rows.named(j)
                number = rows.splat(builder.load(builder.gep(factors, [j])))
                for total, column in zip(sums, columns):
                    rows.add_product(total, number, rows.load(row, column))
            for total, column in zip(sums, columns):
                rows.store(builder.load(total), target, column)
            return context.get_dummy_value()

        kinds = (index, factor, types.int64, types.int64, matrix, out, types.int64)
        return types.void(*kinds), generate

    return combine


def _dots(count):
    """out[j + p] = a[r, :depth] · b[index[j + p], :depth] for p below ``count``. depth: whole LANES."""

    @intrinsic
    def dots(typing, index, a, r, b, depth, out, j):
        require_contiguous(index, a, b, out)

        def generate(context, builder, signature, arguments):
            index, a, r, b, depth, out, j = arguments
            kinds = signature.args
            rows = _Gathered(context, builder, kinds[0], index, kinds[3], b)
            left = Vectors(context, builder, kinds[1], a, LANES).row(r)
            target = Vectors(context, builder, kinds[5], out).first
            places = [builder.add(j, j.type(p)) for p in range(count)]
            others = [rows.named(place) for place in places]
            sums = [rows.total() for _ in others]
            step = depth.type(LANES)
            with cgutils.for_range_slice(builder, depth.type(0), depth, step) as (c, _):
                shared = rows.load(left, c)
                for total, other in zip(sums, others):
                    rows.add_product(total, shared, rows.load(other, c))
            for total, place in zip(sums, places):
                builder.store(lane_sum(builder, builder.load(total)), builder.gep(target, [place]))
            return context.get_dummy_value()

        kinds = (index, a, types.int64, b, types.int64, out, types.int64)
        return types.void(*kinds), generate

    return dots


_combine_1, _combine_4, _dots_1, _dots_4 = _combine(1), _combine(4), _dots(1), _dots(4)


@inner
def combined(index, factor, begin, end, matrix, out):
    """out = Σ_j factor[j] · matrix[index[j]] over begin ≤ j < end. out: (d,)."""
    d = out.shape[0]
    wide, whole = d - d % (4 * LANES), d - d % LANES
    for c in range(0, wide, 4 * LANES):
        _combine_4(index, factor, begin, end, matrix, out, c)
    for c in range(wide, whole, LANES):
        _combine_1(index, factor, begin, end, matrix, out, c)
    for e in range(whole, d):
        total = factor.dtype.type(0)
        for j in range(begin, end):
            total += factor[j] * matrix[index[j], e]
        out[e] = total


@inner
def dotted(index, a, r, b, begin, end, out):
    """out[j] = a[r] · b[index[j]] for begin ≤ j < end."""
    d = a.shape[1]
    whole, fours = d - d % LANES, end - (end - begin) % 4
    for j in range(begin, fours, 4):
        _dots_4(index, a, r, b, whole, out, j)
    for j in range(fours, end):
        _dots_1(index, a, r, b, whole, out, j)
    for j in range(begin, end):
        for c in range(whole, d):
            out[j] += a[r, c] * b[index[j], c]


@inner
def dot(a, r, b, i, own, out):
    """a[r] · b[i]. own: (1,) int32 and out: (1,) are scratch."""
    own[0] = i
    dotted(own, a, r, b, 0, 1, out)
    return out[0]


@inner
def remove_parallel_row(gradient, r, unit, i, own, out):
    """Remove from gradient[r] its part along unit[i]. own, out: scratch of `dot`."""
    length = dot(gradient, r, unit, i, own, out)
    for c in range(unit.shape[1]):
        gradient[r, c] -= length * unit[i, c]


@inner
def normalise_row(w, i, own, out):
    """Scale w[i] to unit norm; returns the norm that it had. own, out: scratch of `dot`."""
    length = np.sqrt(dot(w, i, w, i, own, out))
    scale = 1 / length
    for c in range(w.shape[1]):
        w[i, c] *= scale
    return length


@cached
def remove_parallel(gradient, unit):
    """Remove from each row of ``gradient`` its part along that row of ``unit``. Both (h, d)."""
    own, out = np.empty(1, np.int32), np.empty(1, unit.dtype)
    for i in range(unit.shape[0]):
        remove_parallel_row(gradient, i, unit, i, own, out)


@cached
def normalise_rows(w):
    """Scale each row to unit norm, in place. w: (h, d)."""
    own, out = np.empty(1, np.int32), np.empty(1, w.dtype)
    for i in range(w.shape[0]):
        normalise_row(w, i, own, out)
