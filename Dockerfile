# docker build --target cpu -t beopgil .        the service, on any machine
# docker build --target gpu -t beopgil:gpu .    the same on an NVIDIA GPU (run with --gpus all)
#
# Models and the sample index are inside: the container needs no network. It runs as a user that owns nothing but
# indexes/ and work/, so the root file system can be read-only (with a tmpfs on /tmp).

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv/beopgil

FROM base AS build
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt docker/requirements.py ./

FROM build AS build-cpu
# PyPI's torch for Linux brings several gigabytes of CUDA; PyTorch's own index has the build without them. Pass
# TORCH_INDEX= (empty) where that index cannot be reached or pip is set up to find the build elsewhere.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# cpu,train to train in the container
ARG EXTRAS=cpu
RUN pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch \
 && python requirements.py "$EXTRAS" > requirements.txt \
 && pip install -c constraints.txt -r requirements.txt

FROM build AS build-gpu
# gpu,train to train in the container
ARG EXTRAS=gpu
RUN pip install -c constraints.txt torch \
 && python requirements.py "$EXTRAS" > requirements.txt \
 && pip install -c constraints.txt -r requirements.txt

FROM base AS runtime
RUN useradd --system --uid 10001 --home-dir /tmp beopgil \
 && mkdir indexes work \
 && chown beopgil indexes work
COPY pyproject.toml ./
COPY docker docker
COPY models models
COPY samples samples
COPY app app
COPY training training
ENV BEOPGIL_HOST=0.0.0.0 \
    PORT=8000 \
    HF_HOME=/tmp/huggingface
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "docker/healthcheck.py"]
ENTRYPOINT ["docker/entrypoint.sh"]

FROM runtime AS sample-index
COPY --from=build-cpu /opt/venv /opt/venv
RUN python -m training.index --source samples --name samples --work /tmp/work

FROM runtime AS gpu
COPY --from=build-gpu /opt/venv /opt/venv
# Built on the CPU: an index does not know where its vectors came from, and no GPU is there while an image is built.
COPY --from=sample-index --chown=beopgil /srv/beopgil/indexes indexes
USER beopgil

# Last, so that `docker build .` makes it.
FROM runtime AS cpu
COPY --from=build-cpu /opt/venv /opt/venv
COPY --from=sample-index --chown=beopgil /srv/beopgil/indexes indexes
USER beopgil
