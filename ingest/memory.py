"""Cells by where they are in memory, for compiled code that has to choose among the rows and sides of many books.

An address is good for as long as whoever gave it keeps the array; a book tells a new one as soon as it grows.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numba as nb
import numpy as np
import numpy.typing as npt

from ingest.beats import Cells, beat

if not hasattr(beat, "py_func"):  # not compiled, as with NUMBA_DISABLE_JIT

    def cells_at(address: int, count: int) -> Cells:
        """Give the cells of a row."""
        return np.ctypeslib.as_array((ctypes.c_int64 * int(count)).from_address(int(address)))

    def table_at(address: int, count: int, width: int) -> Cells:
        """Give a table, `(count, width)`, such as a side of a book."""
        return cells_at(address, int(count) * width).reshape(int(count), width)

    def bytes_at(address: int, count: int) -> npt.NDArray[np.uint8]:
        """Give bytes."""
        return np.ctypeslib.as_array((ctypes.c_uint8 * int(count)).from_address(int(address)))

elif not TYPE_CHECKING:
    from numba.core import types
    from numba.extending import intrinsic

    def _code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    @intrinsic
    def _pointer(typing_context, address):
        """Take an address for a pointer to cells."""
        return types.CPointer(types.int64)(types.int64), _code

    @intrinsic
    def _pointer_to_bytes(typing_context, address):
        """Take an address for a pointer to bytes."""
        return types.CPointer(types.uint8)(types.int64), _code

    @nb.njit()
    def cells_at(address, count):
        """Give the cells of a row."""
        return nb.carray(_pointer(address), (count,))

    @nb.njit()
    def table_at(address, count, width):
        """Give a table, `(count, width)`, such as a side of a book."""
        return nb.carray(_pointer(address), (count, width))

    @nb.njit()
    def bytes_at(address, count):
        """Give bytes."""
        return nb.carray(_pointer_to_bytes(address), (count,))
