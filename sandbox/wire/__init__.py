"""HTTP/1.1 over plain sockets, so that every way in which a wire can fail can be played."""
