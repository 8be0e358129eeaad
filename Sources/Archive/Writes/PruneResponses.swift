/// Drops kept answers that are too old or too many.
package struct PruneResponses: ArchiveWrite {
    package typealias Output = Void
    /// Milliseconds since 1970; answers made earlier go.
    package let before: Int64
    /// How many answers may stay, the newest.
    package let most: Int

    /// `before` is in milliseconds since 1970; `most` answers stay.
    package init(before: Int64, most: Int) {
        self.before = before
        self.most = most
    }
}
