"""Tests: walkthrough."""
