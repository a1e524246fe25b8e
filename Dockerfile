# docker build -t unicart . : one image for the API, the worker and every command.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/unicart
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN /opt/unicart/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/unicart/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin unicart \
    && install -d -o unicart -g unicart -m 0700 /data
COPY --from=build /opt/unicart /opt/unicart
ENV PATH=/opt/unicart/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    UNICART_DATA_DIR=/data \
    UNICART_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["unicart"]
CMD ["serve", "--host", "0.0.0.0"]
