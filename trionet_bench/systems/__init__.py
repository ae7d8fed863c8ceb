"""The competitors, each a folder: a declaration without torch and a runner with it (``docs/adding-system.md``)."""
