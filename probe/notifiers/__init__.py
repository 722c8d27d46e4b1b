"""How people and services are told: one file for each kind of channel, behind the port `Notifier`."""
