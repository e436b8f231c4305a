"""What the cases stand on: commands with a limit, servers under test, a small raw initiator, the runner."""
