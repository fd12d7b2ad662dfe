"""The steps of the pipeline, one per file; their order stands in `bot/app.py`."""
