"""Compiled steps of a TopK SAE, latent by latent, in one pass over its parameters.

A TopK code has k of h latents active in a row, so decoding and both weight gradients touch k rows
of each matrix, not all h. Active entries are put in the order of latents, so that a latent's
gradient is made once, in registers, and used at once for its Adam step.

Every kernel takes float32, or float64 for tests against autograd, and runs on one thread. The
compiled code is cached beside the source, by this file alone: a kernel may call only kernels of
this file.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_OPTIONS = {"fastmath": True, "nogil": True, "error_model": "numpy"}
#: Of kernels that Python calls, and of what they call. Only the former are cached, so that a kernel
#: is compiled in one way, whatever the cache holds.
_jit, _inner = numba.njit(cache=True, **_OPTIONS), numba.njit(**_OPTIONS)

#: Numbers added at once: a vector register of float32.
LANES = 16


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
        builder = self.builder
        product = builder.fmul(a, b, flags=("contract",))
        builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)


def _combine(vectors):
    """out[c:] = Σ_j factor[j] · matrix[index[j], c:] over begin ≤ j < end, ``vectors`` · LANES
    columns, in registers. index: int32; out: (d,)."""

    @intrinsic
    def combine(typing, index, factor, begin, end, matrix, out, c):
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
            bits = kinds[3].dtype.bitwidth
            reduce = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(rows.number, [rows.number, rows.vector]),
                f"llvm.vector.reduce.fadd.v{LANES}f{bits}",
            )
            for total, place in zip(sums, places):
                nought = ir.Constant(rows.number, 0.0)
                value = builder.call(reduce, [nought, builder.load(total)], fastmath=("fast",))
                builder.store(value, builder.gep(target, [place]))
            return context.get_dummy_value()

        kinds = (index, a, types.int64, b, types.int64, out, types.int64)
        return types.void(*kinds), generate

    return dots


_combine_1, _combine_4, _dots_1, _dots_4 = _combine(1), _combine(4), _dots(1), _dots(4)


@_inner
def _combined(index, factor, begin, end, matrix, out):
    """out = Σ_j factor[j] · matrix[index[j]] over begin ≤ j < end. out: (d,)."""
    d = out.shape[0]
    c = 0
    while c + 4 * LANES <= d:
        _combine_4(index, factor, begin, end, matrix, out, c)
        c += 4 * LANES
    while c + LANES <= d:
        _combine_1(index, factor, begin, end, matrix, out, c)
        c += LANES
    for e in range(c, d):
        total = out[0] - out[0]
        for j in range(begin, end):
            total += factor[j] * matrix[index[j], e]
        out[e] = total


@_inner
def _dotted(index, a, r, b, begin, end, out):
    """out[j] = a[r] · b[index[j]] for begin ≤ j < end."""
    d = a.shape[1]
    whole = d - d % LANES
    j = begin
    while j + 4 <= end:
        _dots_4(index, a, r, b, whole, out, j)
        j += 4
    while j < end:
        _dots_1(index, a, r, b, whole, out, j)
        j += 1
    for j in range(begin, end):
        for c in range(whole, d):
            out[j] += a[r, c] * b[index[j], c]


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


@_inner
def _normalise(w):
    for i in range(w.shape[0]):
        s = w[i, 0] - w[i, 0]
        for c in range(w.shape[1]):
            s += w[i, c] * w[i, c]
        s = 1 / np.sqrt(s)
        for c in range(w.shape[1]):
            w[i, c] *= s


@_jit
def normalise_rows(w):
    """Scale each row to unit norm, in place. w: (h, d)."""
    _normalise(w)


@_jit
def errors_and_slopes(x, index, value, w_dec, b_dec, scale, g, slope):
    """g = scale · (x̂ − x), the gradient at the reconstruction, and slope[r, j] = g[r] · w_dec[i]
    of each latent i = index[r, j]. x, g: (n, d); index, value, slope: (n, k)."""
    k = index.shape[1]
    places, values, slopes = index.reshape(-1), value.reshape(-1), slope.reshape(-1)
    for r in range(x.shape[0]):
        begin, end = r * k, r * k + k
        _combined(places, values, begin, end, w_dec, g[r])
        for c in range(x.shape[1]):
            g[r, c] = scale * (g[r, c] + b_dec[c] - x[r, c])
        _dotted(places, g, r, w_dec, begin, end, slopes)


@_jit
def by_latent(index, value, slope, start, row, values, slopes):
    """The active entries of a code in the order of latents, of one latent in the order of rows.

    start: (h + 1,), where each latent's begin; row, values, slopes: (n k,), what they hold.
    """
    start[:] = 0
    n, k = index.shape
    for r in range(n):
        for j in range(k):
            if value[r, j] > 0:
                start[index[r, j] + 1] += 1
    for i in range(1, start.shape[0]):
        start[i] += start[i - 1]
    place = start.copy()
    for r in range(n):
        for j in range(k):
            if value[r, j] > 0:
                at = place[index[r, j]]
                place[index[r, j]] += 1
                row[at] = r
                values[at] = value[r, j]
                slopes[at] = slope[r, j]


@_inner
def _latent_gradient(x, g, code, i, dec, enc):
    """dec = Σ_r f·g[r] and enc = Σ_r s·x[r] over the rows in which latent i is active.

    code: (start, row, values, slopes) of `by_latent`. Returns Σ_r s, the bias's gradient.
    """
    start, row, values, slopes = code
    begin, end = start[i], start[i + 1]
    _combined(row, values, begin, end, g, dec)
    _combined(row, slopes, begin, end, x, enc)
    total = dec[0] - dec[0]
    for j in range(begin, end):
        total += slopes[j]
    return total


@_jit
def gradient_latents(x, g, code, g_dec, g_enc, g_bias):
    """The gradients of a sparse code, latent by latent: those of `backward_rows`."""
    for i in range(g_dec.shape[0]):
        g_bias[i] = _latent_gradient(x, g, code, i, g_dec[i], g_enc[i])


@_jit
def bias_gradients(code, g_bias):
    """The gradient of each latent's bias, (h,), without AuxK's. code: of `by_latent`."""
    start, _, _, slopes = code
    for i in range(g_bias.shape[0]):
        total = slopes.dtype.type(0)
        for j in range(start[i], start[i + 1]):
            total += slopes[j]
        g_bias[i] = total


@_jit
def update_latents(x, g, code, extra, decoder, encoder, bias, scalars):
    """The gradient of each latent, and Adam's step with it, in one pass over the parameters.

    x, g: (n, d); code: of `by_latent`; extra: (place, dec, enc, bias), AuxK's gradients of the
    latents whose place is not negative; decoder, encoder: (parameters, m, v), each (h, d); bias:
    the same, (h,). Decoder rows have unit norm: the gradient along them is removed, and they are
    renormalised.
    """
    w_dec, m_dec, v_dec = decoder
    w_enc, m_enc, v_enc = encoder
    b, m_b, v_b = bias
    place, extra_dec, extra_enc, extra_bias = extra
    h, d = w_dec.shape
    dec, enc = np.empty(d, x.dtype), np.empty(d, x.dtype)
    g_b = np.empty(1, x.dtype)
    for i in range(h):
        total = _latent_gradient(x, g, code, i, dec, enc)
        if place[i] >= 0:
            j = place[i]
            total += extra_bias[j]
            for c in range(d):
                dec[c] += extra_dec[j, c]
                enc[c] += extra_enc[j, c]
        g_b[0] = total
        along = total - total
        for c in range(d):
            along += dec[c] * w_dec[i, c]
        for c in range(d):
            dec[c] -= along * w_dec[i, c]
        _adam(w_dec[i], dec, m_dec[i], v_dec[i], *scalars)
        _adam(w_enc[i], enc, m_enc[i], v_enc[i], *scalars)
        _adam(b[i : i + 1], g_b, m_b[i : i + 1], v_b[i : i + 1], *scalars)
        _normalise(w_dec[i : i + 1])
