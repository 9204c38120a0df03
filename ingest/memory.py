"""Cells by where they are in memory, for compiled code that has to choose among the rows and sides of many books.

An address is good for as long as whoever gave it keeps the array; a book tells a new one as soon as it grows.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numba as nb
import numpy as np

from ingest.beats import Cells

if nb.config.DISABLE_JIT:  # type: ignore[attr-defined]  # numba sets it from the environment, untyped

    def cells_at(address: int, count: int) -> Cells:
        """Give the cells of a row."""
        return np.ctypeslib.as_array((ctypes.c_int64 * int(count)).from_address(int(address)))

    def side_at(address: int, room: int) -> Cells:
        """Give a side of a book, `(2, room)`."""
        return cells_at(address, 2 * int(room)).reshape(2, int(room))

elif not TYPE_CHECKING:
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def _pointer(typing_context, address):
        """Take an address for a pointer to cells."""

        def code(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], cgutils.intp_t.as_pointer())

        return types.CPointer(types.int64)(types.int64), code

    @nb.njit()
    def cells_at(address, count):
        """Give the cells of a row."""
        return nb.carray(_pointer(address), (count,))

    @nb.njit()
    def side_at(address, room):
        """Give a side of a book, `(2, room)`."""
        return nb.carray(_pointer(address), (2, room))
