"""The ASGI application: health, readiness, metrics and the mounted routes of the adapters."""
