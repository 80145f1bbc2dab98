"""The largest entries of each row, by counting how many are above a bar.

A bar is found by bisection, starting from that of the row before; what is above it is packed, and
the same is done among those few. Comparing and packing are written in LLVM's own language, since
numba's vectoriser counts in 64-bit lanes. `fastmath` is harmless here: it moves bars, by which
nothing is rounded, and the entries kept are the same.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from interference.kernels.compile import cached, fast_cached, fast_inner
from interference.kernels.vectors import LANES, Vectors, require_contiguous


def _above(context, builder, kind, row, start, bar):
    """The vector of ``row`` at ``start`` and the mask of its entries above ``bar``."""
    vectors = Vectors(context, builder, kind, row, LANES)
    values = vectors.load(vectors.first, start)
    return values, builder.fcmp_ordered(">", values, vectors.splat(bar))


def _ones(builder, mask):
    """How many lanes of a mask are set, as int64."""
    bits = builder.bitcast(mask, ir.IntType(LANES))
    return builder.zext(builder.ctpop(bits), ir.IntType(64))


@intrinsic
def _count_lanes(typing, row, start, bar):
    """How many of row[start : start + LANES] are above bar."""
    require_contiguous(row)

    def generate(context, builder, signature, arguments):
        _, mask = _above(context, builder, signature.args[0], *arguments)
        return _ones(builder, mask)

    return types.int64(row, types.int64, row.dtype), generate


@intrinsic
def _compress_lanes(typing, row, start, bar, index, value, count):
    """Write what of row[start : start + LANES] is above bar, and where, to value and index [count:].

    index: int32, with LANES places to spare, as value. Returns the new count.
    """
    require_contiguous(row, index, value)

    def generate(context, builder, signature, arguments):
        row, start, bar, index, value, count = arguments
        values, mask = _above(context, builder, signature.args[0], row, start, bar)
        whole = ir.IntType(32)
        lanes = ir.Constant(ir.VectorType(whole, LANES), list(range(LANES)))
        base = builder.insert_element(
            ir.Constant(lanes.type, ir.Undefined), builder.trunc(start, whole),
            ir.Constant(whole, 0),
        )  # fmt: skip
        base = builder.shuffle_vector(base, base, ir.Constant(lanes.type, None))
        places = builder.add(base, lanes)
        for kind, array, vector, name in (
            (signature.args[3], index, places, "v16i32"),
            (signature.args[4], value, values, f"v16f{signature.args[4].dtype.bitwidth}"),
        ):
            data = context.make_array(kind)(context, builder, array).data
            target = builder.gep(data, [count])
            store = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [vector.type, target.type, mask.type]),
                f"llvm.masked.compressstore.{name}",
            )
            builder.call(store, [vector, target, mask])
        return builder.add(count, _ones(builder, mask))

    kinds = (row, types.int64, row.dtype, index, value, types.int64)
    return types.int64(*kinds), generate


@fast_inner
def _count_above(row, size, bar):
    """How many of row[:size] are above bar."""
    count = 0
    whole = size - size % LANES
    for start in range(0, whole, LANES):
        count += _count_lanes(row, start, bar)
    for i in range(whole, size):
        count += row[i] > bar
    return count


@fast_inner
def _keep_above(row, size, bar, index, value):
    """Write the entries of row[:size] above bar and their places, in order; returns how many."""
    count = 0
    whole = size - size % LANES
    for start in range(0, whole, LANES):
        count = _compress_lanes(row, start, bar, index, value, count)
    for i in range(whole, size):
        if row[i] > bar:
            index[count] = i
            value[count] = row[i]
            count += 1
    return count


@fast_inner
def _bar_below_top(row, size, k, slack, low, guess):
    """A bar ≥ low above which are at least k entries of row[:size], and at most k + slack unless
    they tie; or ``low`` where it has no more above it. The search starts at ``guess``."""
    half = row.dtype.type(0.5)  # a number of the row's dtype, or `low` would become float64
    count = _count_above(row, size, guess) if guess > low else 0
    if k <= count <= k + slack:
        return guess
    if count > k:
        low = guess
    elif _count_above(row, size, low) <= k + slack:
        return low
    high = row[:size].max() if guess <= low else guess
    for _ in range(32):
        middle = (low + high) * half
        count = _count_above(row, size, middle)
        if count >= k:
            low = middle
            if count <= k + slack:
                break
        else:
            high = middle
    return low


@fast_inner
def _top(row, k, guess, index, value, spare_index, spare_value):
    """The k largest positive entries of a row, in order, of equals the first, to index and value.

    All four have LANES + h places. Returns their number and a bar to guess for the next row.
    """
    h, zero = row.shape[0], row[0] - row[0]
    bar = _bar_below_top(row, h, k, k // 2 + 8, zero, guess)
    count = _keep_above(row, h, bar, spare_index, spare_value)
    if count > k:  # the same again among the few, filled up to whole lanes
        many = count + LANES - count % LANES
        spare_value[count:many] = zero
        inner = _bar_below_top(spare_value, many, k, 0, bar, zero)
        count = _keep_above(spare_value, many, inner, index, value)
        for j in range(count):
            index[j] = spare_index[index[j]]
    else:
        for j in range(count):
            index[j] = spare_index[j]
            value[j] = spare_value[j]
    while count > k:  # of equals, drop the last
        least = value[:count].min()
        worst = count - 1
        while value[worst] > least:
            worst -= 1
        for j in range(worst, count - 1):
            index[j] = index[j + 1]
            value[j] = value[j + 1]
        count -= 1
    return count, bar


@fast_inner
def _top_rows(pre, k, index, value):
    h = pre.shape[1]
    places, spare_places = np.empty(h + LANES, np.int32), np.empty(h + LANES, np.int32)
    values, spare_values = np.empty(h + LANES, pre.dtype), np.empty(h + LANES, pre.dtype)
    bar = pre[0, 0] - pre[0, 0]
    for r in range(pre.shape[0]):
        count, bar = _top(pre[r], k, bar, places, values, spare_places, spare_values)
        for j in range(k):
            index[r, j] = places[j] if j < count else 0
            value[r, j] = values[j] if j < count else 0


@fast_cached
def top_rows(pre, k, index, value):
    """The k largest entries of each row that are positive; of equals, the lower indices.

    pre: (n, h); writes index: (n, k) int32, ascending, and value: (n, k). Where fewer than k
    entries are positive, the places left have index 0 and value 0.
    """
    _top_rows(pre, k, index, value)


@cached
def top_biased_rows(pre, bias, k, index, value, watched, z):
    """pre ← pre + bias, then `top_rows`; z: (n, w) ← ReLU of the columns ``watched``: (w,)."""
    for r in range(pre.shape[0]):
        row = pre[r]
        for i in range(row.shape[0]):
            row[i] += bias[i]
        for j in range(watched.shape[0]):
            v = row[watched[j]]
            z[r, j] = v if v > 0 else 0
    _top_rows(pre, k, index, value)


@fast_cached
def keep_top_rows(z, k):
    """Zero all but the k largest entries of each row, of equals the first kept, in place."""
    h = z.shape[1]
    places, spare_places = np.empty(h + LANES, np.int32), np.empty(h + LANES, np.int32)
    values, spare_values = np.empty(h + LANES, z.dtype), np.empty(h + LANES, z.dtype)
    bar = z[0, 0] - z[0, 0]
    for r in range(z.shape[0]):
        row = z[r]
        count, bar = _top(row, k, bar, places, values, spare_places, spare_values)
        for i in range(h):
            row[i] = 0
        for j in range(count):
            row[places[j]] = values[j]
