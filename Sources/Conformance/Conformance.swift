// Placeholder of the first commit; the room is filled next.
