"""HTTP Live Streaming: playlists read, followed, and their media paced and decrypted."""
