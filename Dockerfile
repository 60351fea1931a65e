# A worker with the flows of this branch. `wavedeck build` builds and pushes it; `docker build .` does as well.
#
# One's own flows on top of it, in three lines:
#
#     FROM wavedeck
#     COPY shops.py /app/
#     ENV WAVEDECK_FLOWS=shops
#
# and before the last, for what they need: USER root / RUN pip install … / USER 10001:10001

ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
# `aws`: init and workers scale their own fleet; `flights`: what the flows of this branch need. Without: EXTRAS=aws
ARG EXTRAS=aws,flights
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv --without-pip /opt/venv
# What it stands on first: it changes seldom, and is a layer of its own.
COPY pyproject.toml README.md LICENSE ./
RUN pip --python /opt/venv/bin/python install ".[${EXTRAS}]"
COPY engine engine
COPY worker worker
COPY console console
COPY flows flows
RUN pip --python /opt/venv/bin/python install --no-deps --force-reinstall .

FROM python:${PYTHON}-slim
# Scripts are evaluated by bash and run by coreutils' `timeout` and its like; an image without them is none.
RUN bash -c 'type -P sleep timeout env' >/dev/null \
 && groupadd --gid 10001 wavedeck \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin wavedeck
COPY --from=build /opt/venv /opt/venv
# /tmp is all that is written to, so the root file system may be read-only. Pulse: the beat that HEALTHCHECK looks at.
# PIP_PYTHON: in an image made FROM this one, `pip install` installs to where the worker looks.
ENV PATH=/opt/venv/bin:$PATH \
    PIP_PYTHON=/opt/venv/bin/python \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    WAVEDECK_HOME=/tmp/wavedeck \
    WAVEDECK_PULSE=/tmp/wavedeck.pulse \
    WAVEDECK_LOG_FORMAT=json
WORKDIR /app
# Also where an orchestrator mounts an empty volume here: ECS gives it this folder's mode (all may write), but only to a VOLUME.
VOLUME ["/tmp"]
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["wavedeck"]
CMD ["worker"]
# Docker looks here, ECS at the task definition's healthCheck; a worker that waits for Redis is healthy.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-P", "-m", "worker.health"]

# Last, for they change with every commit and nothing after them is built again.
ARG VERSION=main
ARG GIT_SHA=unknown
ARG IMAGE=
ENV WAVEDECK_VERSION=${VERSION} WAVEDECK_IMAGE=${IMAGE}
LABEL org.opencontainers.image.title="wavedeck" \
      org.opencontainers.image.description="A worker of Wavedeck with its flows" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${GIT_SHA}" \
      org.opencontainers.image.ref.name="${IMAGE}"
