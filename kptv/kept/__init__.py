"""What is kept in DATA_DIR and cannot be had again: numbers of channels, ids of devices."""
