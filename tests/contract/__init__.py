"""What the appliance relies on, asked of every kind of host in the same words."""
