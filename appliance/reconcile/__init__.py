"""Who carries the steps out: one worker per resource, until nothing is left to do."""
