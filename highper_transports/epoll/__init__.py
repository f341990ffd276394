"""The provider that owns its sockets: one epoll set, one C record per open descriptor."""
