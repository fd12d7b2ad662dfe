"""Tests of the Telegram adapter, through the real library against a strict server."""
