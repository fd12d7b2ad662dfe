"""Malformed input through every entrance of a running Front Desk."""
