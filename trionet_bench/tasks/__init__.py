"""What networks are trained for. A task is a declaration without torch and a runner with it (``docs/adding-task.md``)."""
