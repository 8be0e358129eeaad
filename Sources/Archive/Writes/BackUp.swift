/// Begins a copy of the whole store in a file, made beside everything else; `Store.backedUp` says when it is there.
package struct BackUp: ArchiveWrite {
    package typealias Output = Void
    /// An absolute path at which nothing is.
    package let path: String
    package init(to path: String) { self.path = path }
}
