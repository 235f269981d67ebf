"""People who watch: who they are, what they may see, how many streams they may have. Pure."""
