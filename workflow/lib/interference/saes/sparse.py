"""Compiled gradients and steps of sparse codes, latent by latent.

A sparse code has k of h latents active in a row, so decoding and both weight gradients touch k rows
of each matrix, not all h. Active entries are put in the order of latents, so that a latent's
gradient is made once, in registers, and used at once for its Adam step.

Sums over a row of a matrix are written in LLVM's own language, lane by lane and with fused
multiply-adds, and nothing is compiled with `fastmath`, so every bit follows from the source alone: a
compiler that may reorder a float sum does not always reorder alike. Kernels take float32, or float64
for tests against autograd, and run on one thread. Compiled code is cached by this file alone: a
kernel may call only kernels of this file.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

_OPTIONS = {"nogil": True, "error_model": "numpy"}
#: Of kernels that Python calls, and of what they call.
_jit, _inner = numba.njit(cache=True, **_OPTIONS), numba.njit(**_OPTIONS)

#: Numbers added at once: a vector register of float32.
LANES = 16


def _require_contiguous(*arrays):
    """Refuse to compile for arrays whose neighbours do not lie side by side: vectors are loaded."""
    if any(array.layout != "C" for array in arrays):
        raise TypingError(f"arrays must be C-contiguous, found {arrays}")


class _Gathered:
    """Vectors of the rows of a matrix that an index names: the arguments of the next intrinsics."""

    def __init__(self, context, builder, index_kind, index, kind, matrix):
        self.builder = builder
        array = context.make_array(kind)(context, builder, matrix)
        self.index = context.make_array(index_kind)(context, builder, index).data
        self.data = builder.bitcast(array.data, ir.IntType(8).as_pointer())
        self.stride = cgutils.unpack_tuple(builder, array.strides, 2)[0]
        self.size = kind.dtype.bitwidth // 8
        self.number = context.get_value_type(kind.dtype)
        self.vector = ir.VectorType(self.number, LANES)
        self.zero = ir.Constant(self.vector, None)

    def row(self, i):
        start = self.builder.gep(self.data, [self.builder.mul(self.stride, i)])
        return self.builder.bitcast(start, self.number.as_pointer())

    def named(self, j):
        """The row that the index names at j."""
        i = self.builder.load(self.builder.gep(self.index, [j]))
        return self.row(self.builder.zext(i, ir.IntType(64)))

    def at(self, row, column):
        return self.builder.bitcast(self.builder.gep(row, [column]), self.vector.as_pointer())

    def load(self, row, column):
        return self.builder.load(self.at(row, column), align=self.size)

    def add_product(self, total, a, b):
        """total ← total + a · b, rounded once."""
        builder = self.builder
        fma = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{LANES}f{8 * self.size}",
        )
        builder.store(builder.call(fma, [a, b, builder.load(total)]), total)

    def sum(self, vector):
        """The sum of a vector's lanes: neighbouring halves are added until one number is left."""
        builder, width = self.builder, LANES
        while width > 1:
            width //= 2
            lanes = ir.VectorType(ir.IntType(32), width)
            parts = (ir.Constant(lanes, [*range(s, s + width)]) for s in (0, width))
            vector = builder.fadd(*(builder.shuffle_vector(vector, vector, p) for p in parts))
        return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _combine(vectors):
    """out[c:] = Σ_j factor[j] · matrix[index[j], c:] over begin ≤ j < end, ``vectors`` · LANES
    columns, in registers. index: int32; out: (d,)."""

    @intrinsic
    def combine(typing, index, factor, begin, end, matrix, out, c):
        _require_contiguous(index, factor, matrix, out)

        def generate(context, builder, signature, arguments):
            index, factor, begin, end, matrix, out, c = arguments
            kinds = signature.args
            rows = _Gathered(context, builder, kinds[0], index, kinds[4], matrix)
            factors = context.make_array(kinds[1])(context, builder, factor).data
            target = context.make_array(kinds[5])(context, builder, out).data
            columns = [builder.add(c, c.type(v * LANES)) for v in range(vectors)]
            sums = [cgutils.alloca_once_value(builder, rows.zero) for _ in columns]
            same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
            with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (j, _):
                row = rows.named(j)
                number = builder.load(builder.gep(factors, [j]))
                one = builder.insert_element(
                    ir.Constant(rows.vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
                )
                many = builder.shuffle_vector(one, one, same)
                for total, column in zip(sums, columns):
                    rows.add_product(total, many, rows.load(row, column))
            for total, column in zip(sums, columns):
                builder.store(builder.load(total), rows.at(target, column), align=rows.size)
            return context.get_dummy_value()

        kinds = (index, factor, types.int64, types.int64, matrix, out, types.int64)
        return types.void(*kinds), generate

    return combine


def _dots(count):
    """out[j + p] = a[r, :depth] · b[index[j + p], :depth] for p below ``count``. depth: whole LANES."""

    @intrinsic
    def dots(typing, index, a, r, b, depth, out, j):
        _require_contiguous(index, a, b, out)

        def generate(context, builder, signature, arguments):
            index, a, r, b, depth, out, j = arguments
            kinds = signature.args
            rows = _Gathered(context, builder, kinds[0], index, kinds[3], b)
            left = _Gathered(context, builder, kinds[0], index, kinds[1], a).row(r)
            target = context.make_array(kinds[5])(context, builder, out).data
            places = [builder.add(j, j.type(p)) for p in range(count)]
            others = [rows.named(place) for place in places]
            sums = [cgutils.alloca_once_value(builder, rows.zero) for _ in others]
            step = depth.type(LANES)
            with cgutils.for_range_slice(builder, depth.type(0), depth, step) as (c, _):
                shared = rows.load(left, c)
                for total, other in zip(sums, others):
                    rows.add_product(total, shared, rows.load(other, c))
            for total, place in zip(sums, places):
                builder.store(rows.sum(builder.load(total)), builder.gep(target, [place]))
            return context.get_dummy_value()

        kinds = (index, a, types.int64, b, types.int64, out, types.int64)
        return types.void(*kinds), generate

    return dots


_combine_1, _combine_4, _dots_1, _dots_4 = _combine(1), _combine(4), _dots(1), _dots(4)


@_inner
def _combined(index, factor, begin, end, matrix, out):
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


@_inner
def _dotted(index, a, r, b, begin, end, out):
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


@_inner
def _dot(a, r, b, i, own, dot):
    """a[r] · b[i]. own: (1,) int32 and dot: (1,) are scratch."""
    own[0] = i
    _dotted(own, a, r, b, 0, 1, dot)
    return dot[0]


@_inner
def _remove_parallel(gradient, r, unit, i, own, dot):
    """Remove from gradient[r] its part along unit[i]."""
    length = _dot(gradient, r, unit, i, own, dot)
    for c in range(unit.shape[1]):
        gradient[r, c] -= length * unit[i, c]


@_inner
def _normalise(w, i, own, dot):
    """Scale w[i] to unit norm; returns the norm that it had."""
    length = np.sqrt(_dot(w, i, w, i, own, dot))
    scale = 1 / length
    for c in range(w.shape[1]):
        w[i, c] *= scale
    return length


@_inner
def _adam(p, g, m, v, step, beta1, rest1, beta2, rest2, eps):
    for i in range(p.shape[0]):
        m[i] = beta1 * m[i] + rest1 * g[i]
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        p[i] -= step * m[i] / (np.sqrt(v[i]) + eps)


@_jit
def adam_rows(p, g, m, v, step, beta1, rest1, beta2, rest2, eps):
    """One Adam step in place; all arrays flat and of one length, all scalars of their dtype.

    rest = 1 − beta; step and eps carry the bias corrections (Kingma & Ba 2015, end of §2).
    """
    _adam(p, g, m, v, step, beta1, rest1, beta2, rest2, eps)


@_jit
def remove_parallel(gradient, unit):
    """Remove from each row of ``gradient`` its part along that row of ``unit``. Both (h, d)."""
    own, dot = np.empty(1, np.int32), np.empty(1, unit.dtype)
    for i in range(unit.shape[0]):
        _remove_parallel(gradient, i, unit, i, own, dot)


@_jit
def normalise_rows(w):
    """Scale each row to unit norm, in place. w: (h, d)."""
    own, dot = np.empty(1, np.int32), np.empty(1, w.dtype)
    for i in range(w.shape[0]):
        _normalise(w, i, own, dot)


@_jit
def errors_and_slopes(x, index, value, ends, w_dec, b_dec, scale, g, slope):
    """Gradients at the reconstructions of nested prefixes of the latents, and at the code.

    Prefix q is of the latents below ends[q]; the last is of them all. x: (n, d); index, value,
    slope: (n, k), active latents first and ascending; g: (prefixes, n, d). With x̂_q the
    reconstruction of a prefix: g[q] ← scale · Σ_{p ≥ q} (x̂_p − x), and slope[r, j] ←
    g[q, r] · w_dec[i] of each active latent i = index[r, j], q the first prefix that holds it.
    """
    k, prefixes = index.shape[1], len(ends)
    places, values, slopes = index.reshape(-1), value.reshape(-1), slope.reshape(-1)
    bounds = np.empty(prefixes + 1, np.int64)
    part, whole = np.empty_like(b_dec), np.empty_like(b_dec)
    for r in range(x.shape[0]):
        stop = r * k
        while stop < r * k + k and values[stop] > 0:
            stop += 1
        bounds[0] = r * k
        whole[:] = b_dec
        for q in range(prefixes):
            end = bounds[q] if q + 1 < prefixes else stop
            while end < stop and places[end] < ends[q]:
                end += 1
            bounds[q + 1] = end
            _combined(places, values, bounds[q], end, w_dec, part)
            for c in range(x.shape[1]):
                whole[c] += part[c]
                g[q, r, c] = scale * (whole[c] - x[r, c])
        for q in range(prefixes - 1, -1, -1):
            if q + 1 < prefixes:
                for c in range(x.shape[1]):
                    g[q, r, c] += g[q + 1, r, c]
            _dotted(places, g[q], r, w_dec, bounds[q], bounds[q + 1], slopes)


@_inner
def _latent_gradient(x, g, code, i, dec, enc):
    """dec = Σ_r f·g[r] and enc = Σ_r s·x[r] over the rows in which latent i is active.

    code: (start, row, values, slopes) of `by_latent`. Returns Σ_r s, the bias's gradient.
    """
    start, row, values, slopes = code
    begin, end = start[i], start[i + 1]
    _combined(row, values, begin, end, g, dec)
    _combined(row, slopes, begin, end, x, enc)
    total = slopes.dtype.type(0)
    for j in range(begin, end):
        total += slopes[j]
    return total


@_jit
def gradient_latents(x, g, code, ends, g_dec, g_enc, g_bias):
    """The gradients of a sparse code. x: (n, d) the encoder's input; code: of `by_latent`; ends and
    g: (prefixes, n, d), as in `errors_and_slopes`. Writes g_dec, g_enc: (h, d) and g_bias: (h,)."""
    first = 0
    for q in range(len(ends)):
        for i in range(first, ends[q]):
            g_bias[i] = _latent_gradient(x, g[q], code, i, g_dec[i], g_enc[i])
        first = ends[q]


@_jit
def update_latents(x, g, code, ends, extra, decoder, encoder, bias, length, scale, scalars, shared):
    """The gradient of each latent, and Adam's step with it, in one pass over the parameters.

    x, g, code, ends: as in `gradient_latents`; extra: (place, dec, enc, bias), AuxK's gradients of
    the latents whose place is not negative; decoder, encoder: (parameters, m, v), each (h, d);
    bias: the same, (h,). Decoder rows have unit norm: the gradient along them is removed, the step
    is added to the row times its length, (h,), and the sum's norm is the length from then on.
    Adam's gradients are these times ``scale``. shared: (d,) is added Σ_i bias gradient · w_enc,i,
    without AuxK's. Returns the sum of squares of the gradients, unscaled, as float64.
    """
    w_dec, m_dec, v_dec = decoder
    w_enc, m_enc, v_enc = encoder
    b, m_b, v_b = bias
    place, extra_dec, extra_enc, extra_bias = extra
    d = w_dec.shape[1]
    dec, enc = np.empty((1, d), x.dtype), np.empty((1, d), x.dtype)
    g_b, own, dot = np.empty(1, x.dtype), np.empty(1, np.int32), np.empty(1, x.dtype)
    first, square = 0, 0.0
    for q in range(len(ends)):
        for i in range(first, ends[q]):
            g_b[0] = _latent_gradient(x, g[q], code, i, dec[0], enc[0])
            for c in range(d):
                shared[c] += g_b[0] * w_enc[i, c]
            if place[i] >= 0:
                j = place[i]
                g_b[0] += extra_bias[j]
                for c in range(d):
                    dec[0, c] += extra_dec[j, c]
                    enc[0, c] += extra_enc[j, c]
            _remove_parallel(dec, 0, w_dec, i, own, dot)
            square += _dot(dec, 0, dec, 0, own, dot) + _dot(enc, 0, enc, 0, own, dot)
            square += g_b[0] * g_b[0]
            g_b[0] *= scale
            for c in range(d):
                dec[0, c] *= scale
                enc[0, c] *= scale
                w_dec[i, c] *= length[i]
            _adam(w_dec[i], dec[0], m_dec[i], v_dec[i], *scalars)
            _adam(w_enc[i], enc[0], m_enc[i], v_enc[i], *scalars)
            _adam(b[i : i + 1], g_b, m_b[i : i + 1], v_b[i : i + 1], *scalars)
            length[i] = _normalise(w_dec, i, own, dot)
        first = ends[q]
    return square
