/// Drops kept answers that are too old or too many.
package struct PruneResponses: ArchiveWrite {
    package typealias Output = Void
    package let before: Int64
    package let most: Int

    /// `before` is in milliseconds since 1970; `most` answers stay.
    package init(before: Int64, most: Int) {
        self.before = before
        self.most = most
    }
}
