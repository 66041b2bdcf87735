"""What a gateway Region has besides its functions and queues, for the bridge to the other partition."""
