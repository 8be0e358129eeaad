/// The standard library appends no spans yet; an array is retained each time that it is appended, which locks the bus.
extension [UInt8] {
    /// Appends bytes that lie elsewhere.
    @inline(__always)
    package mutating func append(_ bytes: Span<UInt8>) {
        append(addingCapacity: bytes.count) { $0.append(bytes) }
    }
}

extension OutputSpan<UInt8> {
    /// Appends bytes that lie elsewhere; written so that the compiler copies many at a time.
    @inline(__always)
    @_lifetime(self: copy self)
    package mutating func append(_ bytes: Span<UInt8>) {
        for place in bytes.indices { append(bytes[place]) }
    }
}
