"""In-memory stand-ins for ports, for the tests of what uses them."""
