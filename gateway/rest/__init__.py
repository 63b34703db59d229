"""HTTP: one table of routes, the application that dispatches over it, and the server in front."""
