"""Exits with 0 where the service answers that it is ready (/readyz), with 1 where it does not."""

from __future__ import annotations

import os
import sys
import urllib.request

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks the service itself, whatever proxy the container is told to use."""


def ready(port: str, timeout: float = 4.0) -> bool:
    """URLError and HTTPError (503 while models load) are OSErrors."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}/readyz", timeout=timeout) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if ready(os.environ.get("BEOPGIL_PORT") or os.environ.get("PORT") or "8000") else 1)
