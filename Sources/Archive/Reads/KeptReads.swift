/// The answer kept under a key, nil when there is none.
package struct KeptAnswer: ArchiveRead {
    package typealias Output = KeptResponse?
    /// SHA-256 over who asks, where it goes and all that is sent, as `EndTurn.cacheKey` has it.
    package let key: [UInt8]
    package init(_ key: [UInt8]) { self.key = key }
}

/// A secret of this database; nil where there is none of that name.
package struct SecretByName: ArchiveRead {
    package typealias Output = [UInt8]?
    package let name: String
    package init(_ name: String) { self.name = name }
}

/// What was learned of the models' tokens.
package struct AllCalibrations: ArchiveRead {
    package typealias Output = [Learned]
    /// Models at most.
    package let limit: Int
    package init(limit: Int) { self.limit = limit }
}
