"""What the role that applies a stack must be allowed."""
