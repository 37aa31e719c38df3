# One image for the web processes, the workers, the beat and the migrations: compose.yaml says who runs what.
FROM python:3.11-slim AS packages
# With what a store for the exports needs: few bytes, and no second image.
COPY requirements/s3.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
    --require-hashes --no-deps --only-binary :all: -r /tmp/requirements.txt

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/mentor --create-home mentor
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VAR_DIR=/var/lib/mentor \
    STATIC_ROOT=/app/static_root \
    HOST=0.0.0.0 \
    PORT=8000
RUN SECRET_KEY=of-this-step-only python manage.py collectstatic --no-input --verbosity 0 \
 && python -m compileall -q /app
USER mentor
# A volume that is mounted here takes its owner from this folder.
RUN mkdir --mode=700 /var/lib/mentor/exports
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz')"]
CMD ["python", "manage.py", "serve"]
