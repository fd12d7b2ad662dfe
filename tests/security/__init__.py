"""Tests: hostile documents and a model that obeys them."""
