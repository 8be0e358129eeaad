/// The answer kept under a key, nil when there is none.
package struct KeptAnswer: ArchiveRead {
    package typealias Output = KeptResponse?
    package let key: [UInt8]
    package init(_ key: [UInt8]) { self.key = key }
}

/// What was learned of the models' tokens.
package struct AllCalibrations: ArchiveRead {
    package typealias Output = [Learned]
    package let limit: Int
    package init(limit: Int) { self.limit = limit }
}
