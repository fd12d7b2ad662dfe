"""The platforms for the process tests of this folder."""

from tests.process.conftest import world as world  # a fixture
