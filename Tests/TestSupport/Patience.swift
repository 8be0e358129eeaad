internal import Posix

/// How tests wait for what a daemon does by itself.
package enum Patience {
    /// It did not come in time.
    package struct End: Error, CustomStringConvertible {
        package let description: String
    }

    /// Asks again and again until something is so, as long as a client waits for a line; throws where it never is, with what is
    /// there in place of it.
    package static func until<Value: Equatable>(_ value: Value, _ read: () throws -> Value) throws {
        let end = Machine.monotonic() + UInt64(TestClient.patience) * 1_000_000
        while true {
            let found = try read()
            if found == value { return }
            if Machine.monotonic() > end { throw End(description: "\(value) never came: \(found)") }
        }
    }
}
