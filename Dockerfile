# docker build -t tlscheck . && docker run --rm -v "$PWD:/data" -u "$(id -u)" tlscheck scan example.jp
FROM python:3.13-slim AS build
RUN python -m venv /opt/tlscheck
WORKDIR /src
# The locked packages first: this layer stays until the lock changes.
COPY constraints/run.lock constraints/run.lock
RUN /opt/tlscheck/bin/pip install --no-cache-dir --no-deps --require-hashes -r constraints/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY tlscheck tlscheck
COPY profiles profiles
COPY reports reports
COPY locale locale
RUN /opt/tlscheck/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/tlscheck /opt/tlscheck
ENV PATH="/opt/tlscheck/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
# A number, so that a cluster can see that it is not root. Old parsers meet hostile bytes here.
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["tlscheck"]
CMD ["--help"]
