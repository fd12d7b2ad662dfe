"""The guard of similar reuse: whether two questions that are near each other are the same question. Pure."""
