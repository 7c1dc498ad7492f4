"""The application."""


def price(cents: int) -> str:
    return f"{cents // 100}.{cents % 10:02}"


def page() -> str:
    return f"total {price(1999)}\n"
