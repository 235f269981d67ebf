"""HTTP Live Streaming: playlists read, followed and written, media paced and decrypted."""
