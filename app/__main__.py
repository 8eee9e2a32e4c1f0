"""python -m app [--host HOST] [--port PORT] [--index NAME]: serve until stopped."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence

import uvicorn
from pydantic import ValidationError

from app.settings import Settings, unknown_variables


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 after a stop, 1 where loading failed, 2 for settings that cannot be used."""
    given = {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    for sentence in unknown_variables(os.environ):
        print(f"beopgil: {sentence}", file=sys.stderr)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for one in error.errors():
            name = "_".join(map(str, one["loc"])).upper().removeprefix("BEOPGIL_")
            print(f"beopgil: BEOPGIL_{name} is {one['input']!r}: {one['msg']}", file=sys.stderr)
        return 2
    return serve(settings)


def serve(settings: Settings) -> int:
    """Without garbage collection until all is loaded: what loading makes stays, and looking through it again and again
    took a quarter of the start. Later collections leave it out."""
    gc.disable()
    from app.main import create_app  # after that: imports are half of the loading

    app = create_app(settings)
    service = app.state.service
    config = uvicorn.Config(app, host=settings.host, port=settings.port, access_log=False, server_header=False)
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    def loaded() -> None:
        gc.freeze()
        gc.enable()

    service.on_failure, service.on_ready = stop, loaded
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    finally:
        gc.enable()
    return 1 if service.failure else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Serve Beopgil; other settings are BEOPGIL_* variables."
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; 0.0.0.0 for all)")
    parser.add_argument("--port", type=int, help="default 8000")
    parser.add_argument("--index", help="name of a published index (default samples)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
