from ...connection import Connection
from ...limits import Limits
from ...state import Role

class FastHttpConnection(Connection):
    def __init__(self, role: Role, limits: Limits) -> None: ...
    @property
    def searched(self) -> int: ...
