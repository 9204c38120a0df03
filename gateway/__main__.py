"""Run the gateway: `python -m gateway`."""

import sys

from gateway.service import serve
from thalweg.service import run_service

if __name__ == "__main__":
    sys.exit(run_service("gateway", serve))
