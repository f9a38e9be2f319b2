"""What the end-to-end tests stand on: a raw HTTP client, the server under test, content to push, real clients."""
