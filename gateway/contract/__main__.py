"""Print one of the two documents."""

from __future__ import annotations

import sys

from gateway.contract.document import DOCUMENTS, written

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in DOCUMENTS:
        sys.exit(f"usage: python -m gateway.contract {'|'.join(DOCUMENTS)}")
    print(written(sys.argv[1]), end="")
