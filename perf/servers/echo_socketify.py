"""socketify's own interface: callbacks, no compression, an object factory of 200,000."""

from __future__ import annotations

from typing import Any

import given
from socketify import App, AppListenOptions, CompressOptions

app = App(websocket_factory_max_items=200_000)


def echo(socket: Any, message: Any, opcode: Any) -> None:
    socket.send(message, opcode)


app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 16 << 20,
        "idle_timeout": 120,
        "send_pings_automatically": False,
        "message": echo,
    },
)

if __name__ == "__main__":
    app.listen(AppListenOptions(port=given.PORT, host="127.0.0.1"), lambda config: None)
    app.run()
