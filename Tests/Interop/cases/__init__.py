"""One file a kind of initiator. Each has `cases()`; a case is a function of the server, named for what must be true."""
