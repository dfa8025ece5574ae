"""Tests of the faces; a package, so that they share what `conftest` makes."""
