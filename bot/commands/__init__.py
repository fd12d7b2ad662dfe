"""What the chat commands do, one per file."""
