"""Where answers and embeddings come from."""
