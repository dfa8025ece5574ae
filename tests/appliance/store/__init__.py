"""Tests of how the cloud is remembered."""
