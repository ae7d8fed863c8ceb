"""What a Ray worker of these tests does first."""


def prepare() -> None:
    import with_fake_system  # noqa: F401
    import without_torch  # noqa: F401
