"""The network: gate, experts, mixture and losses."""
