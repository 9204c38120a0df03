"""A client of the gateway, for programs: books kept by sequence and checksum, resumed after a lost connection.

It knows the public protocol alone (docs/gateway.md), and is described in docs/clients.md.
"""

from thalweg.client.book import Book as Book
from thalweg.client.transport import Client as Client
from thalweg.client.transport import connect as connect
