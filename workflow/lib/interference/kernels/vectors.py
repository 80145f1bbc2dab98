"""Arrays as vectors, in LLVM's own language: what the intrinsics of this folder are written with.

numba's loop vectoriser keeps no tile of sums in registers, uses no 512-bit vectors and counts in
64-bit lanes. An `intrinsic` writes the instructions of a loop itself: here are a matrix's vectors, the
fused multiply-add, and sums over lanes.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils
from numba.core.errors import TypingError

_FEATURES = llvm.get_host_cpu_features()
#: Bytes of this machine's vector registers.
REGISTER = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
#: Numbers that a sum adds side by side, on every machine: their number decides how it is rounded.
LANES = 16
_WHOLE = ir.IntType(32)


def require_contiguous(*arrays):
    """Refuse to compile for arrays whose neighbours do not lie side by side: vectors are loaded."""
    if any(array.layout != "C" for array in arrays):
        raise TypingError(f"arrays must be C-contiguous, found {arrays}")


class Vectors:
    """An array argument of an intrinsic, C-contiguous: (rows, columns), or (columns,), one row.

    kind: its numba type; lanes: numbers per vector, by default as many as a register holds.
    """

    def __init__(self, context, builder, kind, value, lanes=None):
        array = context.make_array(kind)(context, builder, value)
        self.builder = builder
        self.data = builder.bitcast(array.data, ir.IntType(8).as_pointer())
        self.stride = cgutils.unpack_tuple(builder, array.strides, kind.ndim)[0]
        self.size = kind.dtype.bitwidth // 8
        self.number = context.get_value_type(kind.dtype)
        self.vector = ir.VectorType(self.number, lanes or REGISTER // self.size)
        self.zero = ir.Constant(self.vector, None)

    @property
    def first(self):
        """Pointer to the first number of all."""
        return self.builder.bitcast(self.data, self.number.as_pointer())

    def row(self, index):
        """Pointer to the first number of a row."""
        start = self.builder.gep(self.data, [self.builder.mul(self.stride, index)])
        return self.builder.bitcast(start, self.number.as_pointer())

    def at(self, row, column):
        """Pointer to the vector that starts at a column of a row."""
        return self.builder.bitcast(self.builder.gep(row, [column]), self.vector.as_pointer())

    def load(self, row, column):
        """The vector that starts at a column of a row."""
        return self.builder.load(self.at(row, column), align=self.size)

    def store(self, vector, row, column):
        self.builder.store(vector, self.at(row, column), align=self.size)

    def splat(self, number):
        """The vector that has ``number`` in every lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, number, ir.Constant(_WHOLE, 0))
        mask = ir.Constant(ir.VectorType(_WHOLE, self.vector.count), None)
        return self.builder.shuffle_vector(first, undefined, mask)

    def total(self):
        """Pointer to a vector of zeros to add to, which LLVM promotes to a register."""
        return cgutils.alloca_once_value(self.builder, self.zero)

    def add_product(self, total, a, b):
        """total ← total + a · b, rounded once."""
        fma = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{self.vector.count}f{8 * self.size}",
        )
        self.builder.store(self.builder.call(fma, [a, b, self.builder.load(total)]), total)


def lane_sum(builder, vector):
    """The sum of a vector's lanes: neighbouring halves are added until one number is left."""
    width = vector.type.count
    while width > 1:
        width //= 2
        lanes = ir.VectorType(_WHOLE, width)
        parts = (ir.Constant(lanes, [*range(s, s + width)]) for s in (0, width))
        vector = builder.fadd(*(builder.shuffle_vector(vector, vector, part) for part in parts))
    return builder.extract_element(vector, ir.Constant(_WHOLE, 0))


def lane_sums(builder, vectors):
    """`lane_sum` of as many vectors as there are lanes, as one vector.

    Halves of neighbours are added until one vector is left: far fewer shuffles than one sum each.
    """
    lanes = width = len(vectors)
    while len(vectors) > 1:
        width //= 2
        low = [lane for lane in range(2 * lanes) if lane // width % 2 == 0]
        masks = [
            ir.Constant(ir.VectorType(_WHOLE, lanes), [lane + shift for lane in low])
            for shift in (0, width)
        ]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(a, b, mask) for mask in masks))
            for a, b in zip(vectors[::2], vectors[1::2])
        ]
    return vectors[0]
