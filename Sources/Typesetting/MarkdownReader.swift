internal import CMarkdown

extension MarkdownBlock {
    /// Reads a document in the Markdown of GitHub; HTML stays text.
    ///
    /// With `keepsWords` what a reader takes away stays, for who draws it: definitions of links, and cells beyond a table's head.
    package static func read(_ text: String, keepsWords: Bool = true) -> [MarkdownBlock] {
        let builder = MarkdownBuilder(), text = keepsWords ? MarkdownSource.keepingWords(text) : text
        var parser = MD_PARSER()
        // MD_DIALECT_GITHUB (GitHub Flavored Markdown), without HTML.
        parser.flags = UInt32(
            MD_FLAG_PERMISSIVEEMAILAUTOLINKS | MD_FLAG_PERMISSIVEURLAUTOLINKS | MD_FLAG_PERMISSIVEWWWAUTOLINKS
                | MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTMLBLOCKS
                | MD_FLAG_NOHTMLSPANS)
        unsafe parser.enter_block = { type, detail, context in
            unsafe MarkdownBuilder.of(context)?.enter(type, detail)
            return 0
        }
        unsafe parser.leave_block = { type, _, context in
            unsafe MarkdownBuilder.of(context)?.leave(type)
            return 0
        }
        unsafe parser.enter_span = { type, detail, context in
            unsafe MarkdownBuilder.of(context)?.enter(type, detail)
            return 0
        }
        unsafe parser.leave_span = { type, _, context in
            unsafe MarkdownBuilder.of(context)?.leave(type)
            return 0
        }
        unsafe parser.text = { type, text, count, context in
            unsafe MarkdownBuilder.of(context)?.add(type, MarkdownBuilder.string(text, count))
            return 0
        }
        var bytes = text
        let code = bytes.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) {
                unsafe md_parse(
                    $0.baseAddress, MD_SIZE($0.count), &parser, Unmanaged.passUnretained(builder).toOpaque())
            }
        }
        // Short of memory: what it could not read is text.
        return code == 0 ? builder.document : [.paragraph([StyledRun(text)])]
    }
}

/// Blocks out of what the parser tells, from the outside to the inside.
private final class MarkdownBuilder {
    /// A block that is not closed.
    private struct Open {
        let type: MD_BLOCKTYPE
        var blocks: [MarkdownBlock] = []
        var runs: [StyledRun] = []
        /// The level of a heading, or the first number of a list.
        var number: Int?
        var isTight = false
        var isDone: Bool?
        var language = ""
        var items: [MarkdownList.Item] = []
        var table = MarkdownTable(alignments: [], rows: [])
    }

    private(set) var document: [MarkdownBlock] = []
    private var open: [Open] = []
    private var styles: [TextStyle] = []
    /// Where links lead that are open, and where their text begins.
    private var links: [(target: String, start: Int)] = []

    static func of(_ context: UnsafeMutableRawPointer?) -> MarkdownBuilder? {
        guard let context = unsafe context else { return nil }
        return unsafe Unmanaged<MarkdownBuilder>.fromOpaque(context).takeUnretainedValue()
    }

    static func string(_ text: UnsafePointer<CChar>?, _ count: MD_SIZE) -> String {
        guard let text = unsafe text else { return "" }
        let bytes = unsafe UnsafeBufferPointer(start: text, count: Int(count))
        return unsafe String(decoding: bytes.lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func string(_ attribute: MD_ATTRIBUTE) -> String {
        let whole = unsafe string(attribute.text, attribute.size)
        return whole.contains("&") ? HTMLEntity.replacedAll(in: whole) : whole
    }

    func enter(_ type: MD_BLOCKTYPE, _ detail: UnsafeMutableRawPointer?) {
        var block = Open(type: type)
        switch type {
        case MD_BLOCK_H:
            block.number = unsafe detail.map { Int(unsafe $0.load(as: MD_BLOCK_H_DETAIL.self).level) }
        case MD_BLOCK_UL:
            block.isTight =
                unsafe detail.map { unsafe $0.load(as: MD_BLOCK_UL_DETAIL.self).is_tight != 0 } ?? true
        case MD_BLOCK_OL:
            let list = unsafe detail.map { unsafe $0.load(as: MD_BLOCK_OL_DETAIL.self) }
            block.number = Int(list?.start ?? 1)
            block.isTight = list?.is_tight != 0
        case MD_BLOCK_LI:
            let item = unsafe detail.map { unsafe $0.load(as: MD_BLOCK_LI_DETAIL.self) }
            if let item, item.is_task != 0 { block.isDone = item.task_mark != 0x20 }
        case MD_BLOCK_CODE:
            if let detail = unsafe detail {
                block.language = unsafe MarkdownBuilder.string(
                    detail.load(as: MD_BLOCK_CODE_DETAIL.self).lang)
            }
        case MD_BLOCK_TH, MD_BLOCK_TD:
            let align = unsafe detail.map { unsafe $0.load(as: MD_BLOCK_TD_DETAIL.self).align }
            block.number = align.map { Int($0.rawValue) }
        default: break
        }
        open.append(block)
    }

    func leave(_ type: MD_BLOCKTYPE) {
        guard var block = open.popLast() else { return }
        // The text of a tight item stands in it without a paragraph.
        if !block.runs.isEmpty, [MD_BLOCK_LI, MD_BLOCK_QUOTE].contains(type) {
            block.blocks.append(.paragraph(block.runs))
        }
        switch type {
        case MD_BLOCK_DOC: document = block.blocks
        case MD_BLOCK_H: add(.heading(level: block.number ?? 1, block.runs))
        case MD_BLOCK_P: add(.paragraph(block.runs))
        case MD_BLOCK_CODE:
            let text = block.runs.map(\.text).joined()
            add(.code(language: block.language, text.hasSuffix("\n") ? String(text.dropLast()) : text))
        case MD_BLOCK_HTML: add(.paragraph(block.runs))
        case MD_BLOCK_QUOTE: add(.quote(block.blocks))
        case MD_BLOCK_HR: add(.rule)
        case MD_BLOCK_LI:
            change { $0.items.append(MarkdownList.Item(isDone: block.isDone, blocks: block.blocks)) }
        case MD_BLOCK_UL, MD_BLOCK_OL:
            let start = type == MD_BLOCK_OL ? block.number : nil
            add(.list(MarkdownList(start: start, isTight: block.isTight, items: block.items)))
        case MD_BLOCK_TABLE: add(.table(block.table))
        // A row's cells, and a head's or body's rows.
        case MD_BLOCK_TR, MD_BLOCK_THEAD, MD_BLOCK_TBODY:
            changeTable {
                $0.rows += block.table.rows
                if $0.alignments.isEmpty { $0.alignments = block.table.alignments }
            }
        case MD_BLOCK_TH, MD_BLOCK_TD:
            let alignment: MarkdownTable.Alignment =
                switch block.number {
                case Int(MD_ALIGN_CENTER.rawValue): .center
                case Int(MD_ALIGN_RIGHT.rawValue): .right
                default: .left
                }
            changeTable {
                if $0.rows.isEmpty { $0.rows.append([]) }
                $0.rows[0].append(
                    block.runs.map { run in
                        // In a table a bar is written so inside code too (GFM 4.10).
                        run.style.contains(.code)
                            ? StyledRun(run.text.replacing("\\|", with: "|"), run.style) : run
                    })
                $0.alignments.append(alignment)
            }
        default: break
        }
    }

    private func change(_ body: (inout Open) -> Void) {
        if open.isEmpty { return }
        body(&open[open.count - 1])
    }

    private func changeTable(_ body: (inout MarkdownTable) -> Void) { change { body(&$0.table) } }

    private func add(_ block: MarkdownBlock) {
        change {
            if !$0.runs.isEmpty {
                $0.blocks.append(.paragraph($0.runs))
                $0.runs = []
            }
            $0.blocks.append(block)
        }
    }

    // MARK: Spans

    private var style: TextStyle { styles.reduce([]) { $0.union($1) } }

    func enter(_ type: MD_SPANTYPE, _ detail: UnsafeMutableRawPointer?) {
        switch type {
        case MD_SPAN_EM: styles.append(.italic)
        case MD_SPAN_STRONG: styles.append(.bold)
        case MD_SPAN_CODE: styles.append(.code)
        case MD_SPAN_DEL: styles.append(.struck)
        case MD_SPAN_A:
            styles.append(.underlined)
            let target = unsafe detail.map {
                unsafe MarkdownBuilder.string($0.load(as: MD_SPAN_A_DETAIL.self).href)
            }
            links.append((target ?? "", open.last?.runs.count ?? 0))
        case MD_SPAN_IMG:
            styles.append(.dim)
            let target = unsafe detail.map {
                unsafe MarkdownBuilder.string($0.load(as: MD_SPAN_IMG_DETAIL.self).src)
            }
            links.append((target ?? "", open.last?.runs.count ?? 0))
        default: styles.append([])
        }
    }

    func leave(_ type: MD_SPANTYPE) {
        _ = styles.popLast()
        guard type == MD_SPAN_A || type == MD_SPAN_IMG, let link = links.popLast() else { return }
        let runs = open.last?.runs ?? []
        let text = runs[min(link.start, runs.count)...].map(\.text).joined()
        // Where the text is the address already, once is enough.
        let isSame = [text, "mailto:" + text, "http://" + text, "https://" + text].contains(link.target)
        if !link.target.isEmpty, !isSame { change { $0.runs.append(StyledRun(" (\(link.target))", .dim)) } }
    }

    func add(_ type: MD_TEXTTYPE, _ text: String) {
        let text =
            switch type {
            case MD_TEXT_NULLCHAR: "\u{FFFD}"
            case MD_TEXT_BR: "\n"
            // Models mean the ends of lines that they write.
            case MD_TEXT_SOFTBR: "\n"
            case MD_TEXT_ENTITY: HTMLEntity.text(text)
            default: text
            }
        let style = style
        change {
            if $0.runs.last?.style == style {
                $0.runs[$0.runs.count - 1].text += text
            } else {
                $0.runs.append(StyledRun(text, style))
            }
        }
    }
}

/// Entities that stand in answers of models (HTML, 13.5); others stay as they are written.
enum HTMLEntity {
    private static let names: [String: String] = [
        "amp": "&", "apos": "'", "copy": "©", "gt": ">", "hellip": "…", "ldquo": "“", "lsquo": "‘", "lt": "<",
        "mdash": "—", "nbsp": "\u{A0}", "ndash": "–", "quot": "\"", "rarr": "→", "rdquo": "”", "rsquo": "’",
        "times": "×",
    ]

    /// The text of one, from its ampersand to its semicolon.
    static func text(_ entity: String) -> String {
        let name = entity.dropFirst().dropLast()
        guard name.hasPrefix("#") else { return names[String(name)] ?? entity }
        let digits = name.dropFirst()
        let isHexadecimal = digits.hasPrefix("x") || digits.hasPrefix("X")
        let value = isHexadecimal ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        guard let scalar = value.flatMap(Unicode.Scalar.init), scalar.value > 0 else { return "\u{FFFD}" }
        // What steers a terminal, or turns text around, stays as it is written.
        let category = scalar.properties.generalCategory
        return [.control, .format, .lineSeparator, .paragraphSeparator].contains(category)
            ? entity : String(Character(scalar))
    }

    static func replacedAll(in text: String) -> String {
        var out = "", rest = text[...]
        while let start = rest.firstIndex(of: "&") {
            out += rest[..<start]
            rest = rest[start...]
            guard let end = rest.prefix(50).firstIndex(of: ";") else { break }
            out += self.text(String(rest[...end]))
            rest = rest[rest.index(after: end)...]
        }
        return out + rest
    }
}
