/// The limits of one server, as `_convod/server/info` states them.
package struct Limits: Sendable, Equatable {
    /// Bytes of a line, LF not counted.
    package var line = 16 << 20
    /// Levels of nesting in a line.
    package var depth = 128
    /// Clients at one time; one more is told `overloaded` and closed.
    package var connections = 4_096
    /// Bytes waiting for one client.
    package var outbox = 8 << 20
    /// Rows of a page.
    package var pageRows = 1_000
    /// Bytes of a page.
    package var pageBytes = 1 << 20
    /// Prompts waiting in one session's queue.
    package var queue = 256
    /// Bytes of the prompts in one session's queue.
    package var queued = 64 << 20
    /// Requests of one client that have no answer yet.
    package var requests = 256
    /// Bytes that wait for and from all clients together.
    package var buffers = 512 << 20
    /// Bytes that wait for and from the clients of one user.
    package var userBuffers = 96 << 20
    /// Bytes of one client's requests that are not stored yet, at which it is read no further.
    package var unstored = 16 << 20
    /// The same of all clients, at which those are read no further that have any.
    package var unstoredAll = 64 << 20

    /// Bytes of all sessions in memory together.
    package var ephemeral = 512 << 20

    package init() {}

    /// Members of one object of a line.
    package static let keys = 100_000
    /// Values in one line, keys counted.
    package static let values = 1_000_000
    /// Parts of one prompt or message.
    package static let parts = 10_000
    /// Bytes of a session's directory.
    package static let directory = 4 << 10
    /// Bytes of `mcpServers`, of a window, and of metadata.
    package static let settings = 64 << 10
    /// Bytes of a title.
    package static let title = 1_024
    /// Bytes of a turn's model parameters, tools included.
    package static let parameters = 1 << 20
    /// Bytes of a name: an upstream, a model, an option, a cursor.
    package static let name = 256
    /// Bytes of a text that is searched for.
    package static let query = 4 << 10
}
