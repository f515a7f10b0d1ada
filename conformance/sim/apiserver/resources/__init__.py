"""What the server serves: the resources, the shape of their objects and the rules of each kind."""
