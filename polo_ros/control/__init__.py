"""Control without a middleware: controllers, plan schedule, prediction, safety gate, state assembly."""

# per second; stamps and periods are whole nanoseconds
NANOSECONDS = 1_000_000_000
