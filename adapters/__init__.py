"""Platform adapters: each parses, receives and sends, and decides nothing."""
