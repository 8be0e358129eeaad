internal import CMarkdownHTML

/// Markdown as HTML in which nothing runs and nothing is loaded, whoever wrote it.
///
/// HTML in it is text, links lead to http, https and mailto alone, and images are told by their words.
package enum MarkdownHTML {
    /// The HTML of a text in the Markdown of GitHub.
    package static func of(_ text: String) -> String {
        let output = Output()
        let flags = UInt32(
            MD_FLAG_PERMISSIVEEMAILAUTOLINKS | MD_FLAG_PERMISSIVEURLAUTOLINKS | MD_FLAG_PERMISSIVEWWWAUTOLINKS
                | MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTMLBLOCKS
                | MD_FLAG_NOHTMLSPANS)
        var bytes = visible(text)
        let code = bytes.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) {
                unsafe md_html(
                    $0.baseAddress, MD_SIZE($0.count),
                    { text, count, context in
                        guard let text = unsafe text, let context = unsafe context else { return }
                        let piece = unsafe UnsafeBufferPointer(start: text, count: Int(count))
                        unsafe Unmanaged<Output>.fromOpaque(context).takeUnretainedValue().bytes += piece.lazy
                            .map { UInt8(bitPattern: $0) }
                    }, Unmanaged.passUnretained(output).toOpaque(), flags, 0)
            }
        }
        // Short of memory: what it could not read is text.
        guard code == 0 else { return "<pre>\(escaped(text))</pre>" }
        return String(decoding: harmless(output.bytes), as: UTF8.self)
    }

    private final class Output { var bytes: [UInt8] = [] }

    /// Text as it stands between tags and in attributes; what turns its direction around shows as its number.
    package static func escaped(_ text: String) -> String {
        var out = ""
        for character in visible(text).unicodeScalars {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            case "\0": out += "\u{2400}"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }

    /// What turns the direction of text around lets it show as what it is not (Unicode TR 36, 2.8): it shows as its number.
    private static func visible(_ text: String) -> String {
        func isTurning(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
            default: false
            }
        }
        guard text.unicodeScalars.contains(where: isTurning) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isTurning(scalar) {
                out += "⟨U+\(String(scalar.value, radix: 16, uppercase: true))⟩".unicodeScalars
            } else {
                out.append(scalar)
            }
        }
        return String(out)
    }

    /// Links and images of the renderer made harmless; only it writes a `<`, all else of the text is escaped by then.
    private static func harmless(_ html: [UInt8]) -> [UInt8] {
        var out: [UInt8] = [], at = 0
        out.reserveCapacity(html.count + 64)
        while at < html.count {
            guard html[at] == 0x3C else {
                out.append(html[at])
                at += 1
                continue
            }
            let end = html[at...].firstIndex(of: 0x3E) ?? html.count - 1
            let tag = html[at...end]
            if tag.starts(with: Array("<a href=\"".utf8)) {
                let target = value(of: "href", in: tag)
                let start =
                    isAllowed(target) ? "<a rel=\"noopener noreferrer nofollow\" href=\"" : "<a title=\""
                out += Array(start.utf8)
                out += target
                out += Array("\">".utf8)
            } else if tag.starts(with: Array("<img ".utf8)) {
                out += Array("<span class=\"image\">".utf8)
                out += value(of: "alt", in: tag)
                out += Array("</span>".utf8)
            } else {
                out += tag
            }
            at = end + 1
        }
        return out
    }

    /// What an attribute of a tag holds, escaped as it is.
    private static func value(of name: String, in tag: ArraySlice<UInt8>) -> [UInt8] {
        let start = Array(" \(name)=\"".utf8)
        var at = tag.startIndex
        while at + start.count < tag.endIndex {
            if tag[at...].starts(with: start) {
                let first = at + start.count
                return Array(tag[first..<(tag[first...].firstIndex(of: 0x22) ?? tag.endIndex)])
            }
            at += 1
        }
        return []
    }

    private static func isAllowed(_ target: [UInt8]) -> Bool {
        let lower = target.prefix(8).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return ["http://", "https://", "mailto:"].contains { lower.starts(with: Array($0.utf8)) }
    }
}
