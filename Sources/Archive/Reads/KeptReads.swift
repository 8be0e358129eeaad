/// The answer kept under a key, nil when there is none.
package struct KeptAnswer: ArchiveRead {
    package typealias Output = KeptResponse?
    /// SHA-256 over who asks, where it goes and all that is sent, as `EndTurn.cacheKey` has it.
    package let key: [UInt8]
    package init(_ key: [UInt8]) { self.key = key }
}

/// What was learned of the models' tokens.
package struct AllCalibrations: ArchiveRead {
    package typealias Output = [Learned]
    /// Models at most.
    package let limit: Int
    package init(limit: Int) { self.limit = limit }
}
