"""The gateway's configuration: its models, and the reader that reports every fault at once."""
