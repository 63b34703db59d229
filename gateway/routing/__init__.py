"""From a script's plan to work done: tasks, workers, retries, destinations."""
