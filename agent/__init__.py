"""What runs on a host: it makes bridges, DHCP, user data, volumes and domains as the appliance says."""
