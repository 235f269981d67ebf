"""The operator's rules: which entries are served, as which channels, under which names. Pure."""
