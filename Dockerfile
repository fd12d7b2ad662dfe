# Two stages: one with pip, one with what it installed. Needs a Redis with search: REDIS_URL=redis://…, image redis:8.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
COPY adapters ./adapters
RUN python -m venv /opt/frontdesk && /opt/frontdesk/bin/pip install --no-cache-dir .

FROM python:3.11-slim
# The model's client trusts the system's certificates, not a bundle of its own.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home frontdesk
COPY --from=build /opt/frontdesk /opt/frontdesk
WORKDIR /app
COPY config.yaml ./
COPY samples ./samples
USER frontdesk
# Reachable from outside the container, so the chat page asks for FRONTDESK_WEB_TOKEN.
ENV PATH=/opt/frontdesk/bin:$PATH FRONTDESK_SERVER__HOST=0.0.0.0 FRONTDESK_LOGGING__FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["frontdesk"]
CMD ["serve"]
