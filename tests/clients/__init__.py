"""Programs that were written for ZStack, against the appliance."""
