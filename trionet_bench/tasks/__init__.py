"""What networks are trained for: each task a declaration without torch and a runner (``docs/adding-task.md``)."""
