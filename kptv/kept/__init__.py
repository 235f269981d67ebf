"""What is kept in DATA_DIR and cannot be had again: the numbers that channels were given."""
