internal import Archive
internal import Posix

/// Wipes what nothing uses in a database's pages: behind a purge that is where copies of what is gone may stand.
///
/// SQLite's `secure_delete` overwrites a row where it stands. But where rows move to another page, what is free of the old one keeps
/// them (`rebuildPage` and `copyNodeContent` in its btree.c), and the last page of a chain keeps behind its end what the page was
/// before (`fillInCell`). So all pages are looked at, some at a time, past SQLite: each time all of the log is in the file, nobody
/// reads an older state of it, and the write lock is held, so that the file alone is what counts and nobody moves anything in it.
/// Pages that are written between two steps are looked at again. Free pages come last: the last page of a chain may become free
/// before what it belongs to was looked at, and that writes no page.
final class PageCleaning {
    /// Pages that are read at one time.
    private static let few = 64
    /// Pages among which free ones are looked for at one time.
    private static let many = 100_000
    /// The byte that SQLite's locks lie on; its page is never used.
    private static let lock = 1 << 30

    /// Whether all but the free pages were looked at.
    private var isAtFree = false
    /// The next page that is to be looked at, counted from 1.
    private var next = 1
    /// Pages before it that were written since.
    private var again: Set<Int> = []
    private var buffer: [UInt8] = []

    /// All pages are to be looked at.
    func begin() {
        isAtFree = false
        next = 1
        again = []
    }

    /// Takes note of the pages in the log, before they are moved into the file.
    func willMove(_ log: DatabaseFile?) throws(ArchiveError) {
        guard isAtFree || next > 1, let log else { return }
        let size = try log.size()
        if size <= 32 { return }
        // https://sqlite.org/fileformat2.html, section 4.1: the header of 32 bytes, and of 24 before each page.
        let page = try log.number(at: 8)
        guard page >= 512 else { return }
        for frame in stride(from: 32, to: size, by: 24 + page) {
            let number = try log.number(at: frame)
            if number > 0, isAtFree || number < next { again.insert(number) }
        }
    }

    /// Wipes some pages until `deadline` (nanoseconds) has passed; true when that were all.
    ///
    /// Only with the write lock, an empty log, and nobody who reads what was before.
    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) -> Bool {
        guard let file = database.file, var pages = try Pages(file) else { return true }
        for number in again where number <= pages.count {
            try pages.load(number, 1, into: &buffer)
            try pages.wipe(number, buffer, at: 0)
        }
        again = []
        while try !look(&pages) { if Machine.monotonic() >= deadline { return false } }
        try file.sync()
        begin()
        return true
    }

    /// Looks at the next few pages; true when none is left.
    private func look(_ pages: inout Pages) throws(ArchiveError) -> Bool {
        if !isAtFree, next <= pages.count {
            let count = min(PageCleaning.few, pages.count - next + 1)
            try pages.load(next, count, into: &buffer)
            for index in 0..<count { try pages.wipe(next + index, buffer, at: index) }
            next += count
            return false
        }
        if !isAtFree { (isAtFree, next) = (true, 1) }
        for _ in 0..<PageCleaning.few {
            if !pages.hasFree || next > pages.count { return true }
            let last = min(pages.count, next + PageCleaning.many)
            guard let free = try pages.free(in: next...last) else {
                next = last + 1
                return false
            }
            try pages.load(free, 1, into: &buffer)
            try pages.wipe(free, buffer, at: 0)
            next = free + 1
        }
        return false
    }

    /// The pages of a file.
    private struct Pages {
        let count: Int
        private let file: DatabaseFile
        private let size: Int, usable: Int
        private var layout: PageLayout
        /// Which of the free pages lead to others, and how many each.
        private var trunks: [Int: Int] = [:]
        /// What each of the pages behind a page of the pointer map is.
        private var map: (page: Int, entries: [UInt8]) = (0, [])

        /// Nil for a file that does not say what its pages are, since it was not made to become smaller (auto_vacuum).
        init?(_ file: DatabaseFile) throws(ArchiveError) {
            // https://sqlite.org/fileformat2.html, section 1.3.
            var header = [UInt8](repeating: 0, count: 100)
            try file.read(&header, count: 100, from: 0)
            let bytes = header.span.number16(16)
            let length = try file.size()
            size = bytes == 1 ? 65_536 : bytes
            guard size >= 512, header.span.number32(52) != 0 else { return nil }
            self.file = file
            usable = size - Int(header[20])
            count = length / size
            layout = PageLayout(usable: usable)
            var trunk = header.span.number32(32)
            while trunk > 1, trunk <= count, trunks[trunk] == nil {
                let entries = try file.number(at: place(trunk) + 4)
                trunks[trunk] = entries
                trunk = try file.number(at: place(trunk))
            }
        }

        private func place(_ page: Int) -> Int { (page - 1) * size }

        func load(_ page: Int, _ count: Int, into buffer: inout [UInt8]) throws(ArchiveError) {
            if buffer.count < count * size { buffer = [UInt8](repeating: 0, count: count * size) }
            try file.read(&buffer, count: count * size, from: place(page))
        }

        /// Wipes what is free of a page, which stands in the buffer at a place counted in pages.
        mutating func wipe(_ page: Int, _ buffer: [UInt8], at index: Int) throws(ArchiveError) {
            let bytes = buffer.span.extracting((index * size)..<((index + 1) * size))
            switch try kind(of: page) {
            case .tree:
                layout.read(bytes, isFirst: page == 1)
                for free in layout.free { try wipe(free, of: page, bytes) }
                for overflow in layout.overflows { try wipe(behind: overflow) }
            case .free:
                let used = trunks[page].map { 8 + 4 * $0 } ?? 0
                // What leads to other pages is needed still.
                if used < usable { try wipe(used..<usable, of: page, bytes) }
            case .other: break
            }
        }

        private func wipe(_ free: Range<Int>, of page: Int, _ bytes: borrowing Span<UInt8>)
            throws(ArchiveError)
        {
            for index in free where bytes[index] != 0 {
                return try file.wipe((place(page) + index)..<(place(page) + free.upperBound))
            }
        }

        /// Wipes what is behind the end of what goes on in other pages.
        private func wipe(behind overflow: PageLayout.Overflow) throws(ArchiveError) {
            let each = usable - 4
            var page = overflow.page, left = overflow.bytes
            while page > 1, page <= count {
                let following = try file.number(at: place(page))
                if left > each {
                    (page, left) = (following, left - each)
                    continue
                }
                // A chain that is longer than its cell says is none that is understood.
                guard following == 0, left < each else { return }
                let free = (4 + left)..<usable
                var tail = [UInt8](repeating: 0, count: free.count)
                try file.read(&tail, count: free.count, from: place(page) + free.lowerBound)
                if tail.contains(where: { $0 != 0 }) {
                    try file.wipe((place(page) + free.lowerBound)..<(place(page) + free.upperBound))
                }
                return
            }
        }

        var hasFree: Bool { !trunks.isEmpty }

        /// The first free page of some; nil where there is none.
        mutating func free(in some: ClosedRange<Int>) throws(ArchiveError) -> Int? {
            for page in some where try kind(of: page) == .free { return page }
            return nil
        }

        private enum Kind { case tree, free, other }

        /// What a page is, by the pointer map (section 1.8).
        private mutating func kind(of page: Int) throws(ArchiveError) -> Kind {
            if page == 1 { return .tree }
            let lock = PageCleaning.lock / size + 1, span = usable / 5 + 1
            var mapPage = (page - 2) / span * span + 2
            if mapPage == lock { mapPage += 1 }
            if page == lock || page <= mapPage { return .other }
            if map.page != mapPage {
                var entries = [UInt8](repeating: 0, count: size)
                try file.read(&entries, count: size, from: place(mapPage))
                map = (mapPage, entries)
            }
            return switch map.entries[(page - mapPage - 1) * 5] {
            case 1, 5: .tree
            case 2: .free
            default: .other
            }
        }
    }
}
