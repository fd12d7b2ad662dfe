"""What only a cluster or Sentinels can show."""
