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
    /// How far the log was read, and which log that was.
    private var read: (salt: [Int], to: Int) = ([], 0)
    /// Bytes that were wiped since the disk was waited for.
    private var wiped = 0

    /// Pages that are looked at again in one step, however long that takes: more than are written between two.
    private static let least = 4_096
    /// Bytes that are wiped before the disk is waited for.
    private static let most = 4 << 20

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
        // https://sqlite.org/fileformat2.html, section 4.1: the header of 32 bytes, and of 24 before each page, both with the
        // numbers that tell this log from what was in the file before.
        if size <= 32 { return }
        let page = try log.number(at: 8), salt = [try log.number(at: 16), try log.number(at: 20)]
        guard page >= 512 else { return }
        if salt != read.salt { read = (salt, 32) }
        while read.to < size, try log.number(at: read.to + 8) == salt[0],
            try log.number(at: read.to + 12) == salt[1]
        {
            let number = try log.number(at: read.to)
            if number > 0, isAtFree || number < next { again.insert(number) }
            read.to += 24 + page
        }
    }

    /// Wipes some pages until `deadline` (nanoseconds) has passed; true when that were all, which are on the disk then.
    ///
    /// Only with the write lock, an empty log, and nobody who reads what was before.
    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) -> Bool {
        guard let file = database.file, var pages = try Pages(file) else { return true }
        var isDone = try lookAgain(&pages, until: deadline)
        while isDone, try !look(&pages) { isDone = Machine.monotonic() < deadline }
        wiped += pages.wiped
        if isDone || wiped > PageCleaning.most {
            try file.sync()
            wiped = 0
        }
        return isDone
    }

    /// Looks at what was written since; true when that is all.
    private func lookAgain(_ pages: inout Pages, until deadline: UInt64) throws(ArchiveError) -> Bool {
        var left = PageCleaning.least
        while let number = again.popFirst() {
            if number <= pages.count {
                try pages.load(number, 1, into: &buffer)
                try pages.wipe(number, buffer, at: 0)
            }
            left -= 1
            if left < 0, Machine.monotonic() >= deadline { return again.isEmpty }
        }
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
        for page in pages.free(from: next).prefix(PageCleaning.few) {
            try pages.load(page, 1, into: &buffer)
            try pages.wipe(page, buffer, at: 0)
            next = page + 1
        }
        return pages.free(from: next).isEmpty
    }

    /// The pages of a file.
    private struct Pages {
        let count: Int
        /// Bytes that were wiped.
        private(set) var wiped = 0
        private let file: DatabaseFile
        private let size: Int, usable: Int
        private var layout: PageLayout
        /// Free pages in order, and of those that lead to others how many.
        private var free: [Int] = [], trunks: [Int: Int] = [:]
        /// Pages of the pointer map, by their numbers.
        private var maps: [Int: [UInt8]] = [:]

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
            // What is behind the last page belongs to no database.
            count = min(length / size, header.span.number32(28))
            layout = PageLayout(usable: usable)
            try findFree(first: header.span.number32(32), count: header.span.number32(36))
        }

        /// Finds free pages; none where the file says another number of them than its lists have (section 1.5).
        private mutating func findFree(first: Int, count all: Int) throws(ArchiveError) {
            var trunk = first, page: [UInt8] = []
            while trunk > 1, trunk <= count, trunks[trunk] == nil {
                try load(trunk, 1, into: &page)
                let entries = page.span.number32(4)
                guard 8 + 4 * entries <= usable else { break }
                trunks[trunk] = entries
                free.append(trunk)
                for entry in 0..<entries { free.append(page.span.number32(8 + 4 * entry)) }
                trunk = page.span.number32(0)
            }
            free.sort()
            if free.count != all || free.contains(where: { $0 < 2 || $0 > count }) || Set(free).count != all {
                (free, trunks) = ([], [:])
            }
        }

        private func place(_ page: Int) -> Int { (page - 1) * size }

        /// Free pages from one on.
        func free(from first: Int) -> ArraySlice<Int> {
            var low = 0, high = free.count
            while low < high {
                let middle = (low + high) / 2
                if free[middle] < first { low = middle + 1 } else { high = middle }
            }
            return free[low...]
        }

        func load(_ page: Int, _ count: Int, into buffer: inout [UInt8]) throws(ArchiveError) {
            if buffer.count < count * size { buffer = [UInt8](repeating: 0, count: count * size) }
            try file.read(&buffer, count: count * size, from: place(page))
        }

        /// Wipes what is free of a page, which stands in the buffer at a place counted in pages.
        mutating func wipe(_ page: Int, _ buffer: [UInt8], at index: Int) throws(ArchiveError) {
            let bytes = buffer.span.extracting((index * size)..<((index + 1) * size))
            switch try entry(of: page).kind {
            case .tree:
                layout.read(bytes, isFirst: page == 1)
                for free in layout.free { try wipe(free, of: page, bytes) }
                for overflow in layout.overflows { try wipe(behind: overflow, of: page) }
            case .free:
                guard free(from: page).first == page else { return }
                // What leads to other pages is needed still.
                let used = trunks[page].map { 8 + 4 * $0 } ?? 0
                if used < usable { try wipe(used..<usable, of: page, bytes) }
            case .chain, .chainBegin, .other: break
            }
        }

        private mutating func wipe(_ free: Range<Int>, of page: Int, _ bytes: borrowing Span<UInt8>)
            throws(ArchiveError)
        {
            for index in free where bytes[index] != 0 {
                wiped += size
                return try file.wipe((place(page) + index)..<(place(page) + free.upperBound))
            }
        }

        /// Wipes what is behind the end of what goes on in other pages; nothing where one of these is another's.
        private mutating func wipe(behind overflow: PageLayout.Overflow, of owner: Int) throws(ArchiveError) {
            let each = usable - 4
            var page = overflow.page, left = overflow.bytes, before = owner
            while page > 1, page <= count {
                let entry = try entry(of: page)
                guard entry.kind == (before == owner ? .chainBegin : .chain), entry.parent == before else {
                    return
                }
                let following = try file.number(at: place(page))
                if left > each {
                    (before, page, left) = (page, following, left - each)
                    continue
                }
                guard following == 0, left < each else { return }
                let free = (4 + left)..<usable
                var tail = [UInt8](repeating: 0, count: free.count)
                try file.read(&tail, count: free.count, from: place(page) + free.lowerBound)
                if tail.contains(where: { $0 != 0 }) {
                    wiped += size
                    try file.wipe((place(page) + free.lowerBound)..<(place(page) + free.upperBound))
                }
                return
            }
        }

        private enum Kind { case tree, free, chainBegin, chain, other }

        /// What a page is and which one leads to it, by the pointer map (section 1.8).
        private mutating func entry(of page: Int) throws(ArchiveError) -> (kind: Kind, parent: Int) {
            if page == 1 { return (.tree, 0) }
            let lock = PageCleaning.lock / size + 1, span = usable / 5 + 1
            var mapPage = (page - 2) / span * span + 2
            if mapPage == lock { mapPage += 1 }
            if page == lock || page <= mapPage { return (.other, 0) }
            if maps[mapPage] == nil {
                if maps.count >= PageCleaning.few { maps = [:] }
                var entries: [UInt8] = []
                try load(mapPage, 1, into: &entries)
                maps[mapPage] = entries
            }
            guard let entries = maps[mapPage] else { return (.other, 0) }
            let at = (page - mapPage - 1) * 5
            let kind: Kind =
                switch entries[at] {
                case 1, 5: .tree
                case 2: .free
                case 3: .chainBegin
                case 4: .chain
                default: .other
                }
            return (kind, entries.span.number32(at + 1))
        }
    }
}
