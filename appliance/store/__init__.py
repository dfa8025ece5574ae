"""How the cloud is remembered: one SQLite file, its tables, queries, changes, copies and checks."""
