import ssl

class Session:
    open: bool
    ended: bool
    alpn: str | None
    def __init__(self, context: ssl.SSLContext, server_side: bool, hostname: str | None = None) -> None: ...
