"""Speed, always as a ratio against a reference that runs in the same minute: `make bench`."""
