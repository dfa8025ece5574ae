"""What each request means: one file a noun, one function a message."""
