"""Tests: lua."""
