"""Products of small matrices in compiled code, a tile of the result at a time in registers.

A library's matrix product repacks both factors, which costs as much as the product itself where
one of them has 20 rows. Here a tile of the result stays in vector registers while one loop runs
over the summed axis. The loop is written in LLVM's own language, by way of numba's `intrinsic`,
because numba's loop vectoriser neither keeps such a tile in registers nor uses 512-bit vectors.

Matrices are C-contiguous and padded with zeros to whole tiles.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from interference.kernels.compile import fast_inner
from interference.kernels.vectors import REGISTER, Vectors, lane_sums

#: A tile has ROWS by VECTORS accumulators; the loop also needs VECTORS + 1 registers for factors,
#: of 32 with AVX-512 and on ARM, of 16 on other x86.
ROWS = 4
VECTORS = 2 if REGISTER == 32 else 4


def padded(size: int, multiple: int) -> int:
    """The next multiple of ``multiple``."""
    return -(-size // multiple) * multiple


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros that start where a vector may: one that lies across two cache lines costs two loads."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + REGISTER, np.uint8)
    start = -raw.ctypes.data % REGISTER
    return raw[start : start + size].view(dtype).reshape(shape)


def lanes(dtype: np.dtype) -> int:
    """Numbers in a vector."""
    return REGISTER // np.dtype(dtype).itemsize


class _Tiled(Vectors):
    """A 2-D array argument of an intrinsic, VECTORS vectors of a row at a time."""

    def columns(self, column):
        """Where the VECTORS vectors that start at a column start."""
        steps = [column.type(v * self.vector.count) for v in range(VECTORS)]
        return [self.builder.add(column, step) for step in steps]

    def load_all(self, index, column):
        """VECTORS vectors of a row from a column on."""
        row = self.row(index)
        return [self.load(row, place) for place in self.columns(column)]

    def store_all(self, vectors, index, column):
        row = self.row(index)
        for vector, place in zip(vectors, self.columns(column)):
            self.store(vector, row, place)

    def accumulators(self):
        """ROWS by VECTORS vectors of zeros."""
        return [[self.total() for _ in range(VECTORS)] for _ in range(ROWS)]


def _matrices(context, builder, signature, arguments, count):
    """The first arguments of an intrinsic."""
    kinds = zip(signature.args[:count], arguments)
    return [_Tiled(context, builder, kind, value) for kind, value in kinds]


def _rows(builder, i):
    """The indices of a tile's rows."""
    return [builder.add(i, i.type(r)) for r in range(ROWS)]


def _product(builder, a, b, depth, i, j):
    """The vectors, a list a row, of A[i : i + ROWS, :depth] @ B[:depth, j : j + columns]."""
    factors = [a.row(row) for row in _rows(builder, i)]
    sums = b.accumulators()
    with cgutils.for_range(builder, depth) as loop:
        vectors = b.load_all(loop.index, j)
        for r in range(ROWS):
            factor = a.splat(builder.load(builder.gep(factors[r], [loop.index])))
            for v in range(VECTORS):
                b.add_product(sums[r][v], factor, vectors[v])
    return [[builder.load(total) for total in row] for row in sums]


@intrinsic
def _multiply_tile(typing, A, B, C, depth, i, j, k):
    """C[i : i + ROWS, k : k + columns] = A[i : i + ROWS, :depth] @ B[:depth, j : j + columns]."""

    def generate(context, builder, signature, arguments):
        a, b, c = _matrices(context, builder, signature, arguments, 3)
        depth, i, j, k = arguments[3:]
        for row, sums in zip(_rows(builder, i), _product(builder, a, b, depth, i, j)):
            c.store_all(sums, row, k)
        return context.get_dummy_value()

    return types.void(A, B, C, depth, i, j, k), generate


@intrinsic
def _error_tile(typing, W_T, H, E, bias, used, totals, weight, depth, i, h, j, k):
    """E[:, k :] = weight · (x' − x) · [x' > 0] · used, x' = W_T H[:, h :] + b, x = E[:, j :].

    Rows i : i + ROWS, as many columns as a tile has. bias: (N, 1); used: (1, B), ones and zeros;
    totals: (N, lanes), to which each row's errors are added.
    """

    def generate(context, builder, signature, arguments):
        a, b, e, bias, used, totals = _matrices(context, builder, signature, arguments, 6)
        weight, depth, i, h, j, k = arguments[6:]
        sums = _product(builder, a, b, depth, i, h)
        zero, first, scale = e.zero, i.type(0), e.splat(weight)
        masks = [builder.fmul(scale, mask) for mask in used.load_all(first, j)]
        for row, outputs in zip(_rows(builder, i), sums):
            shift = e.splat(builder.load(bias.row(row)))
            errors = []
            for output, x, mask in zip(outputs, e.load_all(row, j), masks):
                output = builder.fadd(output, shift)
                alive = builder.fcmp_ordered(">", output, zero)
                error = builder.fmul(builder.fsub(output, x), mask)
                errors.append(builder.select(alive, error, zero))
            e.store_all(errors, row, k)
            place = totals.at(totals.row(row), first)
            total = builder.load(place, align=e.size)
            for error in errors:
                total = builder.fadd(total, error)
            builder.store(total, place, align=e.size)
        return context.get_dummy_value()

    kinds = (W_T, H, E, bias, used, totals, weight, depth, i, h, j, k)
    return types.void(*kinds), generate


@intrinsic
def _input_tile(typing, U, X, used, squares, slope, rows, j):
    """X[:rows, j :] = max(1 + slope · U[:rows, j :], 0) · used; squares[0, j :]: its columns' sums
    of squares. As many columns as a tile has; used and squares: (1, B)."""

    def generate(context, builder, signature, arguments):
        u, x, used, squares = _matrices(context, builder, signature, arguments, 4)
        slope, rows, j = arguments[4:]
        zero, one = x.zero, x.splat(ir.Constant(x.number, 1.0))
        slope, first = x.splat(slope), rows.type(0)
        masks, sums = used.load_all(first, j), x.accumulators()[0]
        with cgutils.for_range(builder, rows) as loop:
            values = []
            for draw, mask, total in zip(u.load_all(loop.index, j), masks, sums):
                value = builder.fadd(one, builder.fmul(slope, draw), flags=("contract",))
                alive = builder.fcmp_ordered(">", value, zero)
                values.append(builder.fmul(builder.select(alive, value, zero), mask))
                x.add_product(total, values[-1], values[-1])
            x.store_all(values, loop.index, j)
        squares.store_all([builder.load(total) for total in sums], first, j)
        return context.get_dummy_value()

    return types.void(U, X, used, squares, slope, rows, j), generate


@intrinsic
def _dot_tile(typing, A, B, C, depth, i, j):
    """C[i : i + ROWS, j : j + VECTORS] = A[i : i + ROWS, :depth] @ B[j : j + VECTORS, :depth].T."""

    def generate(context, builder, signature, arguments):
        a, b, c = _matrices(context, builder, signature, arguments, 3)
        depth, i, j = arguments[3:]
        rows = [a.row(row) for row in _rows(builder, i)]
        others = [b.row(builder.add(j, j.type(v))) for v in range(VECTORS)]
        sums = c.accumulators()
        step = depth.type(a.vector.count)
        with cgutils.for_range_slice(builder, step.type(0), depth, step) as (k, _):
            vectors = [b.load(other, k) for other in others]
            for r in range(ROWS):
                factor = a.load(rows[r], k)
                for v in range(VECTORS):
                    b.add_product(sums[r][v], factor, vectors[v])
        flat = [builder.load(pointer) for row in sums for pointer in row]
        for first in range(0, len(flat), c.vector.count):
            totals = lane_sums(builder, flat[first : first + c.vector.count])
            for lane in range(c.vector.count):
                r, v = divmod(first + lane, VECTORS)
                total = builder.extract_element(totals, ir.Constant(ir.IntType(32), lane))
                row = c.row(builder.add(i, i.type(r)))
                builder.store(total, builder.gep(row, [builder.add(j, j.type(v))]))
        return context.get_dummy_value()

    return types.void(A, B, C, depth, i, j), generate


@fast_inner
def multiply(A, B, C, depth, width, b_start, c_start):
    """C[:, c_start :][:, :width] = A[:, :depth] @ B[:depth, b_start :][:, :width]."""
    for j in range(0, width, VECTORS * (REGISTER // C.itemsize)):
        for i in range(0, C.shape[0], ROWS):
            _multiply_tile(A, B, C, depth, i, b_start + j, c_start + j)


@fast_inner
def multiply_transposed(A, B, C, depth):
    """C = A[:, :depth] @ B[:, :depth].T."""
    for j in range(0, C.shape[1], VECTORS):
        for i in range(0, C.shape[0], ROWS):
            _dot_tile(A, B, C, depth, i, j)


@fast_inner
def errors(W_T, H, outer, bias, used, totals, weight, h, k):
    """outer[:, k :] = weight · (x' − x) · [x' > 0], x' = W_T H[:, h :] + bias, x = outer[:, :].

    W_T: (N, M); H: (M, …); bias: (N, 1); used: (1, B), ones for samples and zeros for padding, B
    whole columns of tiles; totals: (N, lanes), whose rows' sums become those of the errors.
    """
    totals[:] = totals.dtype.type(0)
    for j in range(0, used.shape[1], VECTORS * (REGISTER // outer.itemsize)):
        for i in range(0, W_T.shape[0], ROWS):
            _error_tile(W_T, H, outer, bias, used, totals, weight, W_T.shape[1], i, h + j, j, k + j)


@fast_inner
def inputs(U, outer, used, squares, slope):
    """outer[:, :B] = max(1 + slope · U, 0), and its columns' sums of squares.

    U: (n, at least B); used: (1, B) as of `errors`; squares: (1, B).
    """
    for j in range(0, used.shape[1], VECTORS * (REGISTER // outer.itemsize)):
        _input_tile(U, outer, used, squares, slope, U.shape[0], j)
