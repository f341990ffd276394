"""A server of your own: `highper_core` alone, over plain sockets and `selectors`. No asyncio, no framework.

python examples/custom_server.py [port]
"""

import selectors
import socket
import sys
from time import monotonic

from highper_core import NEED_DATA, PAUSED, EndOfMessage, HttpConnection, RemoteProtocolError, Request, Response, Role
from highper_core.state import State


def conversation(sock):
    """Answer every request on one socket; yield whenever its next bytes are needed."""
    conn = HttpConnection(Role.SERVER)
    try:
        while conn.their_state is not State.CLOSED and conn.our_state is not State.MUST_CLOSE:
            if (event := conn.next_event()) is NEED_DATA:
                yield conn
                conn.receive_data(sock.recv(65536), now=monotonic())
            elif isinstance(event, Request):
                method, target = event.method, event.target
            elif isinstance(event, EndOfMessage):
                conn.send_message(Response(status_code=200), b"%s %s\n" % (method, target))
                sock.sendall(conn.data_to_send())
            elif event is PAUSED:
                conn.start_next_cycle()
    except RemoteProtocolError as error:
        conn.send_message(Response(status_code=error.status_hint or 400), str(error).encode())
        sock.sendall(conn.data_to_send())
    except ConnectionError:
        pass


def serve(listener):
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            now = monotonic()
            peers = [key for key in selector.get_map().values() if key.data]
            late = [key for key in peers if key.data[1].expired(now)]
            wait = min((key.data[1].next_deadline() for key in peers), default=now + 60) - now
            for key in late or [key for key, _ in selector.select(max(0.0, min(wait, 60.0)))]:
                if key.fileobj is listener:
                    sock, _ = listener.accept()
                    talk = conversation(sock)
                    selector.register(sock, selectors.EVENT_READ, (talk, next(talk)))
                elif key in late or next(key.data[0], None) is None:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080)) as listener:
        print("listening on http://{}:{}".format(*listener.getsockname()), flush=True)
        serve(listener)
