"""What the proxy costs and how fast it is, measured. `make bench` prints one table."""
