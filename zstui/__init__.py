"""The full-screen terminal face of zstui."""
