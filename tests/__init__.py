"""The test suite, in layers: unit, contract, lua, adapters, knowledge, process, walkthrough, rules."""
