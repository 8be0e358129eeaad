/// Who has a lock, by what its file says: the process and where it listens, a line each.
package struct LockOwner: Sendable, Equatable {
    package let pid: Int32
    /// The path at which it listens.
    package let socket: String

    package init(pid: Int32, socket: String) {
        self.pid = pid
        self.socket = socket
    }

    /// Reads a lock's file; nil when it says nothing.
    package init?(file path: String) {
        guard let bytes = try? Files.read(path, limit: 8_192) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count >= 2, let pid = Int32(lines[0]) else { return nil }
        self.init(pid: pid, socket: String(lines[1]))
    }

    /// What its file says.
    package var text: String { "\(pid)\n\(socket)\n" }
}
