"""How the appliance reaches its hosts: SSH, the agent's wire, and which machine is connected."""
