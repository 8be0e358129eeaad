internal import Conversation
internal import Daemon
internal import JSON
internal import Protocol
internal import Search
internal import Transcripts
internal import Typesetting
internal import Upstream

/// A parser that takes whatever comes, and what must hold for any bytes; where it does not, the process ends.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case json, configuration, line, events, openai, anthropic, gemini, parts, transcript, search, markdown

    /// Gives bytes to the parser.
    package func take(_ bytes: [UInt8]) {
        switch self {
        case .json: FuzzTarget.json(bytes)
        case .configuration: _ = try? Configuration(reading: bytes, file: "fuzz")  // a refusal is an answer
        case .line: FuzzTarget.line(bytes)
        case .events: FuzzTarget.events(bytes)
        case .openai: FuzzTarget.stream(bytes, OpenAIDialect(base: ""))
        case .anthropic: FuzzTarget.stream(bytes, AnthropicDialect(base: ""))
        case .gemini: FuzzTarget.stream(bytes, GeminiDialect(base: ""))
        case .parts: FuzzTarget.parts(bytes)
        case .transcript: FuzzTarget.transcript(bytes)
        case .search: FuzzTarget.search(bytes)
        case .markdown: FuzzTarget.markdown(bytes)
        }
    }

    private static func must(_ holds: Bool, _ words: String) {
        if !holds { preconditionFailure(words) }
    }

    /// Where a stream is cut, by its own first bytes, so that a found case stays the same.
    private static func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        guard bytes.count > 2 else { return [bytes] }
        let first = Int(bytes[0]) % bytes.count, second = max(first, Int(bytes[1]) * 7 % bytes.count)
        return [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
    }

    // MARK: What must hold

    /// The check and the reader agree on what is JSON, and a string is what it was when it is written again.
    private static func json(_ bytes: [UInt8]) {
        _ = try? JSONDocument(relaxed: bytes)  // only that it ends
        let checked = JSONCheck.traits(of: bytes)
        guard let document = try? JSONDocument(bytes, depth: 512) else { return }
        must(checked != nil, "the reader takes what the check refuses")
        func look(_ view: JSONView) {
            if let text = view.string, !view.hasLoneSurrogate {
                var writer = JSONWriter()
                writer.string(text)
                must((try? JSONDocument(writer.bytes))?.root.string == text, "a string became another")
                if let plain = JSONText.text(view.raw) { must(plain == text, "a plain text is another") }
            }
            for element in view.elements { look(element) }
            for member in view.members { look(member.value) }
        }
        look(document.root)
    }

    /// Lines are the same however their bytes come.
    private static func line(_ bytes: [UInt8]) {
        func lines(_ pieces: [[UInt8]]) -> [LineFramer.Output] {
            var framer = LineFramer(limit: 64), out: [LineFramer.Output] = []
            for piece in pieces {
                framer.fill { $0 += piece }
                while let line = framer.next() { out.append(line) }
            }
            return out
        }
        let whole = lines([bytes])
        must(lines(pieces(bytes)) == whole, "lines depend on where their bytes were cut")
        must(lines(bytes.map { [$0] }) == whole, "lines depend on coming byte by byte")
        for case .line(let line) in whole {
            _ = IncomingLine(line, depth: 128)
            must(line.count <= 64 && !line.contains(0x0A) && !line.isEmpty, "a line that is none")
        }
    }

    /// Events are the same however their bytes come.
    private static func events(_ bytes: [UInt8]) {
        func read(_ pieces: [[UInt8]]) -> [EventStreamParser.Output] {
            var parser = EventStreamParser()
            return pieces.flatMap { parser.feed($0) } + parser.finish()
        }
        let whole = read([bytes])
        must(read(pieces(bytes)) == whole, "events depend on where their bytes were cut")
        must(read(bytes.map { [$0] }) == whole, "events depend on coming byte by byte")
    }

    /// An answer is the same however its bytes come, and what it holds can be kept.
    private static func stream(_ bytes: [UInt8], _ dialect: any Dialect) {
        func read(_ pieces: [[UInt8]]) -> String {
            var reader = dialect.reader(issuer: "me"), answer = Answer(issuer: "me")
            for piece in pieces { for found in reader.feed(piece) { answer.append(found) } }
            let (rest, end) = reader.finish()
            for found in rest { answer.append(found) }
            let content = answer.content
            must(JSONCheck.traits(of: content) != nil, "an answer that cannot be kept")
            return "\(String(decoding: content, as: UTF8.self)) \(end)"
        }
        let whole = read([bytes])
        must(read(pieces(bytes)) == whole, "an answer depends on where its bytes were cut")
        var reader = dialect.reader(issuer: "me")
        _ = reader.takeWhole(bytes)
        _ = FailureReport(status: 400, body: bytes)
    }

    /// Parts are the same by the short way and by the long one, and when they are written again.
    private static func parts(_ bytes: [UInt8]) {
        let parts = Part.decode(bytes)
        // With white space before it no content is the one that is read by the short way.
        must(Part.decode([0x20] + bytes) == parts, "the short way reads other parts")
        var writer = JSONWriter()
        writer.array { for part in parts { part.write(to: &$0) } }
        must(Part.decode(writer.bytes) == parts, "parts became others")
        _ = ContentSize(encoded: bytes)
    }

    /// A transcript that can be read is read the same however it comes.
    private static func transcript(_ bytes: [UInt8]) {
        func read(_ pieces: [[UInt8]]) -> [TranscriptRecord]? {
            guard var decoder = TranscriptFormat.jsonl.decoder?() else { return nil }
            var records: [TranscriptRecord] = []
            do throws(TranscriptError) {
                for piece in pieces { records += try decoder.feed(piece) }
                return records + (try decoder.finish())
            } catch { return nil }
        }
        let whole = read([bytes])
        must(
            String(describing: read(pieces(bytes))) == String(describing: whole),
            "a transcript depends on where its bytes were cut")
    }

    /// A query that can be asked finds what it is, and the form that is searched is the same when it is made again.
    private static func search(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self), form = NormalForm.of(text)
        if let query = SearchQuery(literal: text) { must(query.matches(form), "a text does not hold itself") }
        if let query = try? SearchQuery(text) { _ = query.matches(form) }
        _ = SearchedText.of(bytes)
    }

    /// Markdown ends, at any width, and writes no tag that is not its own.
    private static func markdown(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        for columns in [1, 40] { _ = MarkdownBlock.read(text).lines(columns: columns) }
        var stream = MarkdownStream()
        _ = stream.add(text)
        _ = stream.finish()
        let html = MarkdownHTML.of(text).lowercased()
        for word in ["<script", "<img", "<iframe", "href=\"javascript:"] {
            must(!html.contains(word), "a page has \(word)")
        }
    }
}
