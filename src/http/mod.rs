//! Sockets, framing and deadlines of HTTP/1.1.
