"""Live HLS as an upstream: playlists and segments in, a continuous transport stream out."""
