#!/bin/sh
# Serves. With arguments, runs them instead: docker compose run --rm search python -m training.index …
# The sample index is built first where it is missing, or older than the models and samples of this image.
set -eu
cd "$(dirname "$0")/.."

if [ "$#" -gt 0 ]; then
    exec "$@"
fi

current="${BEOPGIL_INDEX_ROOT:-indexes}/samples/CURRENT"
if [ "${BEOPGIL_INDEX:-samples}" = samples ]; then
    if [ ! -e "$current" ] || [ -n "$(find models samples -type f -newer "$current")" ]; then
        python -m training.index --source samples --name samples \
            --root "${BEOPGIL_INDEX_ROOT:-indexes}" --work "${TMPDIR:-/tmp}/work"
    fi
fi
exec python -m app
