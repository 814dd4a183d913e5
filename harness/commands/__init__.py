"""What each command of `gameday` does: calls the steps, shows what came of them, and gives the exit code."""
