/// Has the index written anew and the pages that nothing uses given back, in the background; `Store.purged` says when that is
/// done.
package struct Compact: ArchiveWrite {
    /// Bytes of the file now.
    package typealias Output = Int
    package init() {}
}
