from collections.abc import Callable

from ..stream import Stream
from ..tls import TLS
from ._stream import EpollStream

class SecureStream(EpollStream): ...

def greet(
    plain: EpollStream,
    tls: TLS,
    hostname: str | None,
    opened: Callable[[Stream], object],
    failed: Callable[[BaseException], object],
) -> SecureStream: ...
