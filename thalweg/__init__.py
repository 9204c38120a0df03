"""The language the services share: numbers, instruments, events, books, bytes and names.

Everything here is pure except `read` (the streams' reader), `transport` (Redis connections),
`service` (the process runner) and `cli`.
"""

__version__ = "0.1.0"
