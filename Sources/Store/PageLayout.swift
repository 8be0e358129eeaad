/// What is free in a page of a B-tree, and which of its cells go on in other pages.
///
/// By SQLite's file format (https://sqlite.org/fileformat2.html, sections 1.6 and 1.7). A page that is not as it says has nothing
/// free: nothing is wiped of what nobody understands.
struct PageLayout {
    /// What a cell has outside its page.
    struct Overflow: Equatable {
        /// The first page of the chain.
        let page: Int
        /// Bytes of the payload in the chain.
        let bytes: Int
    }

    /// Bytes that belong to nothing: between the pointers and the cells, and in free blocks behind what leads to the next.
    ///
    /// The one to three bytes of a fragment are not among them.
    private(set) var free: [Range<Int>] = []
    private(set) var overflows: [Overflow] = []

    /// Bytes of a page that SQLite uses, and those of pages that are left to others at each one's end.
    private let usable: Int

    init(usable: Int) { self.usable = usable }

    private enum Kind: UInt8 {
        case indexInterior = 2, tableInterior = 5, indexLeaf = 10, tableLeaf = 13
        var isInterior: Bool { self == .indexInterior || self == .tableInterior }
    }

    /// Reads a page, in place of the one before; the first page of a file has the file's header before its own.
    mutating func read(_ page: borrowing Span<UInt8>, isFirst: Bool) {
        free.removeAll(keepingCapacity: true)
        overflows.removeAll(keepingCapacity: true)
        if !isUnderstood(page, isFirst ? 100 : 0) {
            free.removeAll(keepingCapacity: true)
            overflows.removeAll(keepingCapacity: true)
        }
    }

    private mutating func isUnderstood(_ page: borrowing Span<UInt8>, _ header: Int) -> Bool {
        guard let kind = Kind(rawValue: page[header]) else { return false }
        let cells = page.number16(header + 3), pointers = header + (kind.isInterior ? 12 : 8)
        let gap = pointers + 2 * cells
        // Zero stands for 65,536, which two bytes do not hold.
        let content = page.number16(header + 5) == 0 ? 65_536 : page.number16(header + 5)
        guard gap <= content, content <= usable else { return false }
        if gap < content { free.append(gap..<content) }
        // What is free, what fragments are and what cells take must be all that there is: what is damaged is not understood.
        var sum = Int(page[header + 7])
        var block = page.number16(header + 1), least = content
        while block != 0 {
            guard block >= least, block + 4 <= usable else { return false }
            let size = page.number16(block + 2)
            guard size >= 4, block + size <= usable else { return false }
            if size > 4 { free.append((block + 4)..<(block + size)) }
            sum += size
            least = block + size
            block = page.number16(block)
        }
        for cell in 0..<cells {
            let start = page.number16(pointers + 2 * cell)
            guard start >= content, let end = end(of: kind, start, in: page) else { return false }
            sum += max(4, end - start)
        }
        return sum == usable - content
    }

    /// Where a cell ends; nil where it is not one.
    private mutating func end(of kind: Kind, _ start: Int, in page: borrowing Span<UInt8>) -> Int? {
        var at = start + (kind.isInterior ? 4 : 0)
        if kind == .tableInterior { return varint(page, &at) == nil ? nil : at }
        guard let payload = varint(page, &at), (0...Int(Int32.max)).contains(payload) else { return nil }
        if kind == .tableLeaf, varint(page, &at) == nil { return nil }
        let most = kind == .tableLeaf ? usable - 35 : (usable - 12) * 64 / 255 - 23
        var local = payload
        if payload > most {
            let least = (usable - 12) * 32 / 255 - 23
            let fitting = least + (payload - least) % (usable - 4)
            local = fitting <= most ? fitting : least
        }
        let end = at + local + (payload > local ? 4 : 0)
        guard end <= usable else { return nil }
        if payload > local {
            overflows.append(Overflow(page: page.number32(at + local), bytes: payload - local))
        }
        return end
    }

    /// A number of one to nine bytes (section 1.6, "variable-length integer"); moves past it.
    private func varint(_ page: borrowing Span<UInt8>, _ at: inout Int) -> Int? {
        var number: UInt64 = 0
        for index in 0..<9 {
            guard at < usable else { return nil }
            let byte = page[at]
            at += 1
            if index == 8 { return Int(truncatingIfNeeded: number << 8 | UInt64(byte)) }
            number = number << 7 | UInt64(byte & 0x7F)
            if byte < 0x80 { break }
        }
        return Int(truncatingIfNeeded: number)
    }
}
