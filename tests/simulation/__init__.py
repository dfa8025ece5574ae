"""The whole appliance in simulated time, against simulated hosts, with every fault that a seed thinks of."""
