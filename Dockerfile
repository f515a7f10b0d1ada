# The suite for a run inside the cluster that it tests, and for the pods that it starts there (`--image`).
#
#   docker build -t registry.example.com/mig-conformance:0.1.0 .
#
# Both stages have the same base, since the virtual environment refers to its Python. Tag and digest are changed together:
# `docker buildx imagetools inspect python:3.13-slim` shows the digest of a tag. This one is Python 3.13.15 on Debian 13.6.
FROM docker.io/library/python:3.13-slim@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS build

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY conformance conformance
RUN python -m venv /opt/mig-conformance \
    && /opt/mig-conformance/bin/pip install --no-cache-dir .

FROM docker.io/library/python:3.13-slim@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

LABEL org.opencontainers.image.title="MIG conformance" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/mig-conformance /opt/mig-conformance
ENV PATH=/opt/mig-conformance/bin:$PATH \
    HOME=/work \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# Reports and pytest's cache go to the working directory.
RUN install --directory --owner=65532 --group=65532 /work
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["mig-conformance"]
