/// What a model may be called.
///
/// A name becomes a piece of an address in some dialects, so it must not lead out of its place there, whatever is escaped.
package enum ModelName {
    /// Bytes of a name at most.
    package static let longest = 256

    /// What is wrong with a name, in one clause; nil when it may be used.
    package static func problem(_ name: String) -> String? {
        guard (1...longest).contains(name.utf8.count) else {
            return "must have 1 to \(longest) bytes, it has \(name.utf8.count)"
        }
        guard name.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F && $0 != "\\" }) else {
            return "must not hold white space, control characters or '\\'"
        }
        let segments = name.split(separator: "/", omittingEmptySubsequences: false)
        guard segments.allSatisfy({ segment in !segment.allSatisfy { $0 == "." } }) else {
            return "must not hold empty segments, '.' or '..' between slashes"
        }
        return nil
    }
}
