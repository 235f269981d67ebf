"""Live HLS as an upstream: one reader a channel, continuous transport stream out."""
