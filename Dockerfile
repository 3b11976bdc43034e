# syntax=docker/dockerfile:1
# One image for API, worker and migrations. Nothing in it is compiled: every package of the lock has a wheel.

FROM python:3.11-slim-bookworm AS packages
RUN python -m venv /opt/venv
COPY requirements.runtime.lock /tmp/
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        --only-binary :all: -r /tmp/requirements.runtime.lock \
    && /opt/venv/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:/opt/firstcome/deploy:$PATH \
    PYTHONPATH=/opt/firstcome \
    PYTHONUNBUFFERED=1
WORKDIR /opt/firstcome
COPY --from=packages /opt/venv /opt/venv
COPY deploy/firstcome deploy/api-answers deploy/
COPY docs/problems docs/problems
COPY migrations migrations
COPY cli cli
COPY worker worker
COPY api api
COPY engine engine
# Compiled now, as nothing can be written later.
RUN python -m compileall -q /opt/firstcome
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 CMD ["api-answers", "8000"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["firstcome"]
CMD ["api", "--host", "0.0.0.0", "--port", "8000"]
