"""What travels over HTTP, in both directions. One schema says what a body looks like, checks it and documents it."""
