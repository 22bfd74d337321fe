"""`segrun serve`: pictures and streams of frames over HTTP and WebSocket."""
