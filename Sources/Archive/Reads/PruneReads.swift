/// What would go if sessions were purged together: what only they hold, not what others share.
package struct CountPurge: ArchiveRead {
    package typealias Output = PurgeSum
    package let rows: [SessionRow]
    package init(_ rows: [SessionRow]) { self.rows = rows }
}

/// Sessions that were moved to the trash before a moment, some of them.
package struct ExpiredTrash: ArchiveRead {
    package typealias Output = [SessionRow]
    /// Milliseconds since 1970.
    package let before: Int64
    /// How many at most.
    package let limit: Int
    package init(before: Int64, limit: Int) {
        self.before = before
        self.limit = limit
    }
}
