"""End to end: the real program, real hosts in the lab, real guests; asserted from outside."""
