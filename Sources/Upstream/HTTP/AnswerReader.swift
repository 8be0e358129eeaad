package import Conversation
package import JSON

/// Reads one streamed answer out of bytes cut anywhere.
package protocol AnswerReader {
    /// Whether nothing more needs to be read: the stream said so, or failed.
    var isOver: Bool { get }
    /// Whether the answer is whole and only its usage may follow.
    var hasFinish: Bool { get }
    /// Whether the answer seems to be whole, although the dialect has no mark for it but the end of the stream.
    var seemsWhole: Bool { get }
    /// Whether what looked like the end may be none: each chunk so far said that it was the last, or one did and more came.
    var isUnsure: Bool { get }
    /// Signs of life that came: comments and pings.
    var signs: Int { get }
    /// Events that came beside them.
    var events: Int { get }
    /// Bytes that were taken and are not given out yet.
    var heldBytes: Int { get }
    /// What the provider has counted so far; nil where it has not yet.
    var usage: Usage? { get }
    /// Takes bytes as they came; returns the pieces they hold.
    mutating func feed(_ bytes: [UInt8]) -> [Piece]
    /// Ends the stream: the last pieces and how the call ended.
    mutating func finish() -> (pieces: [Piece], end: UpstreamEvent)
    /// Takes a whole JSON body from a server that does not stream.
    mutating func takeWhole(_ body: [UInt8]) -> (pieces: [Piece], end: UpstreamEvent)
}

/// What a dialect puts into the events of a stream.
package protocol AnswerBody: Sendable {
    /// Takes one event's JSON and returns the pieces in it.
    mutating func take(_ view: JSONView) throws(UpstreamFailure) -> [Piece]
    /// Whether the event that was taken last did nothing but give its pieces and set what the same event sets again.
    var isSteady: Bool { get }
    /// Whether the answer is whole and only its usage may follow.
    var hasFinish: Bool { get }
    /// See `AnswerReader.seemsWhole`.
    var seemsWhole: Bool { get }
    /// See `AnswerReader.isUnsure`.
    var isUnsure: Bool { get }
    /// Whether the dialect's own last event has come.
    var isOver: Bool { get }
    /// See `AnswerReader.heldBytes`.
    var heldBytes: Int { get }
    /// See `AnswerReader.usage`.
    var usage: Usage? { get }
    /// Ends it; `isDone` tells that the stream said `[DONE]`. Nil for a finish means that the answer was cut.
    mutating func end(isDone: Bool) throws(UpstreamFailure) -> (pieces: [Piece], finish: Turn.Finish?)
}

extension AnswerBody {
    package var seemsWhole: Bool { false }
    package var isUnsure: Bool { false }
}

/// What is said of how a stream ended.
enum AnswerEnd {
    static let nothing = "the upstream's stream ended without an answer"
}

/// What the chunks of an answer tell of which one is the last.
///
/// Old models and translating proxies put a reason on each chunk, or before the end (wire.md A3).
struct EndMarks: Sendable {
    private var isMarkedBehindOthers = false, hasPlain = false, goesOnBehind = false, isCounted = false

    /// Whether the mark that was seen may be none.
    var isUnsure: Bool { goesOnBehind || !isMarkedBehindOthers && !isCounted }

    /// The usage has come behind the mark, as it does at the end.
    mutating func count() { isCounted = true }

    /// A chunk has come: what it had, whether it said that it is the last, and whether one before it did.
    mutating func add(hasContent: Bool, isMarked: Bool, wasMarked: Bool) {
        if hasContent {
            if wasMarked { goesOnBehind = true }
            if !isMarked { hasPlain = true }
        }
        // One without content is a mark and nothing else.
        if isMarked, !wasMarked { isMarkedBehindOthers = hasPlain || !hasContent }
    }
}

extension AnswerReader {
    package var isUnsure: Bool { false }
    package var usage: Usage? { nil }
}

/// The outer half of every dialect's stream: events, bare JSON between them, errors, and its end (wire.md F).
package struct StreamedAnswer<Body: AnswerBody>: Sendable, AnswerReader {
    private var parser = EventStreamParser()
    private var body: Body
    private var stray = StrayObject()
    private var repeated = RepeatedEvent()
    private var isDone = false
    private var hasPieces = false
    private var failure: UpstreamFailure?
    private var isAtEnd = false, isFiltered = false
    package private(set) var events = 0, signs = 0

    package init(body: Body) { self.body = body }

    package var isOver: Bool { isDone || failure != nil || body.isOver }
    package var hasFinish: Bool { body.hasFinish }
    package var seemsWhole: Bool { body.seemsWhole }
    package var isUnsure: Bool { body.isUnsure }
    package var heldBytes: Int { body.heldBytes }
    package var usage: Usage? { body.usage }

    package mutating func feed(_ bytes: [UInt8]) -> [Piece] { read(parser.feed(bytes)) }

    package mutating func finish() -> (pieces: [Piece], end: UpstreamEvent) {
        isAtEnd = true
        return end(read(parser.finish()))
    }

    package mutating func takeWhole(_ bytes: [UInt8]) -> (pieces: [Piece], end: UpstreamEvent) {
        guard let view = JSONDocument.repaired(bytes)?.root else {
            // A stream, or a run of objects, that was called JSON.
            let pieces = feed(bytes) + read(parser.finish())
            if failure == nil && !hasPieces && !isDone {
                failure = UpstreamFailure(
                    .protocolError, "the upstream's answer is neither a stream nor JSON", isRetryable: true)
            }
            return end(pieces)
        }
        // Gemini without `alt=sse` sends one array of all its chunks (wire.md A3).
        return end(view.kind == .array ? view.elements.flatMap { take($0) } : take(view))
    }

    private mutating func end(_ pieces: [Piece]) -> (pieces: [Piece], end: UpstreamEvent) {
        if let failure, failure.kind == .refused, isFiltered {  // as where HTTP says so (wire.md C6)
            return (pieces, .finished(Turn.Finish(reason: "content_filter", detail: failure.message)))
        }
        if let failure { return (pieces, .failed(failure)) }
        do throws(UpstreamFailure) {
            let (rest, finish) = try body.end(isDone: isDone)
            if let finish { return (pieces + rest, .finished(finish)) }
            let words =
                hasPieces
                ? "the upstream's stream was cut before the answer was whole"
                : AnswerEnd.nothing
            let failure = UpstreamFailure(hasPieces ? .interrupted : .protocolError, words, isRetryable: true)
            return (pieces + rest, .failed(failure))
        } catch { return (pieces, .failed(error)) }
    }

    private mutating func read(_ outputs: [EventStreamParser.Output]) -> [Piece] {
        var pieces: [Piece] = []
        for output in outputs where failure == nil && !isDone {
            switch output {
            case .comment: signs += 1
            // Bare JSON: Gemini's errors, or its chunks when `alt=sse` got lost (wire.md A3, A6).
            case .stray(let line):
                repeated.forget()
                for object in stray.add(line) {
                    if let view = JSONDocument.repaired(object)?.root { pieces += take(view) }
                }
            case .tooLong:
                failure = UpstreamFailure(
                    .protocolError, "the upstream sent an event of more than 16 MiB", isRetryable: false)
            case .event("error", let data): errorEvent(data)
            case .event(_, let data): pieces += event(data)
            }
        }
        return pieces
    }

    /// An event that says by its name that it is an error.
    private mutating func errorEvent(_ data: [UInt8]) {
        let view = JSONDocument.repaired(data)?.root
        let report =
            view.map { FailureReport(inStream: $0) } ?? FailureReport(status: nil, body: data)
        fail(report)
    }

    private mutating func fail(_ report: FailureReport) {
        failure = FailureClassifier.failure(report)
        isFiltered = FailureClassifier.isFiltered(report)
    }

    private mutating func event(_ data: [UInt8]) -> [Piece] {
        if let piece = repeated.piece(of: data) {
            events += 1
            return [piece]
        }
        if data.drop(while: { $0 <= 0x20 }).starts(with: "[DONE]".utf8) {
            isDone = true
            return []
        }
        guard let view = JSONDocument.repaired(data)?.root else {
            repeated.forget()
            // Several whole objects without blank lines between them (wire.md F2).
            if let pieces = severalObjects(data) { return pieces }
            if data.allSatisfy({ $0 <= 0x20 }) { return [] }
            if isAtEnd && body.hasFinish { return [] }  // cut inside what only repeats the usage
            // What the end of the stream cuts is no fault of its maker's.
            failure = UpstreamFailure(
                isAtEnd && hasPieces ? .interrupted : .protocolError,
                "the upstream sent an event that is not JSON", isRetryable: true)
            return []
        }
        let pieces = take(view)
        repeated.learn(data, pieces, isSteady: failure == nil && body.isSteady)
        return pieces
    }

    /// Lines at most that one event may hold as objects of their own.
    private static var mostLines: Int { 10_000 }

    /// The pieces of an event whose lines are whole objects each; nil when it is no such event.
    private mutating func severalObjects(_ data: [UInt8]) -> [Piece]? {
        var documents: [JSONDocument?] = []
        var rest = data[...]
        while let start = rest.firstIndex(where: { $0 != 0x0A }) {
            let line = rest[start...].prefix { $0 != 0x0A }
            rest = rest[line.endIndex...]
            let isDone = line.drop { $0 <= 0x20 }.starts(with: "[DONE]".utf8)
            let document = isDone ? nil : JSONDocument.repaired(Array(line))
            guard isDone || document != nil, documents.count < StreamedAnswer.mostLines else { return nil }
            documents.append(document)
        }
        guard documents.count > 1 else { return nil }
        var pieces: [Piece] = []
        for document in documents where !isDone {
            if let document { pieces += take(document.root) } else { isDone = true }
        }
        return pieces
    }

    private mutating func take(_ view: JSONView) -> [Piece] {
        if failure != nil { return [] }
        if view["type"]?.string == "ping" { signs += 1 } else { events += 1 }
        if FailureReport.isError(view) {
            fail(FailureReport(inStream: view))
            return []
        }
        do throws(UpstreamFailure) {
            let pieces = try body.take(view)
            if !pieces.isEmpty { hasPieces = true }
            return pieces
        } catch {
            failure = error
            return []
        }
    }
}

/// Collects lines that are no field of an event stream until they make up whole JSON objects (wire.md A6).
///
/// Brackets and commas around the objects are skipped, so the elements of an array come out one by one.
struct StrayObject: Sendable {
    private static let most = 16 << 20
    private var bytes: [UInt8] = []
    private var depth = 0, isInString = false, isEscaped = false

    /// Adds a line; returns the objects that it completes.
    mutating func add(_ line: [UInt8]) -> [[UInt8]] {
        var objects: [[UInt8]] = [], start = line.startIndex
        for (index, byte) in line.enumerated() {
            if isInString {
                if !isEscaped && byte == 0x22 { isInString = false }
                isEscaped = byte == 0x5C && !isEscaped
                continue
            }
            switch byte {
            case 0x22 where depth > 0: isInString = true
            case 0x7B:
                if depth == 0 { start = index }
                depth += 1
            case 0x7D where depth > 0:
                depth -= 1
                if depth > 0 { continue }
                objects.append(bytes + line[start...index])
                bytes = []
            default: break
            }
        }
        if depth > 0 { bytes += line[start...] + [0x0A] }
        if bytes.count > StrayObject.most { self = StrayObject() }
        return objects
    }
}

extension JSONDocument {
    /// Reads JSON as servers send it: a byte order mark and bytes that are not UTF-8 do no harm (wire.md F3).
    static func repaired(_ bytes: [UInt8]) -> JSONDocument? {
        do { return try JSONDocument(bytes, values: mostValues) } catch {
            let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
            guard hasMark || error.code == .notUTF8 else { return nil }
            let text = hasMark ? bytes[3...] : bytes[...]
            return try? JSONDocument(
                Array(String(decoding: text, as: UTF8.self).utf8), values: mostValues)
        }
    }

    /// Values that one event or body of a server may have: far more than any has, and memory for them.
    private static let mostValues = 2_000_000
}

/// Joins the halves of a character that came in two events (wire.md F3).
struct SurrogateJoiner: Sendable {
    private var half: [UInt8] = []

    /// The text of one delta; a high surrogate at its end waits for its mate in the next.
    mutating func text(_ content: JSONView) -> [UInt8] {
        guard content.hasLoneSurrogate || !half.isEmpty else { return content.utf8 ?? [] }
        var inner = half + content.raw.dropFirst().dropLast()
        half = []
        if inner.count >= 6 {
            let tail = Array(inner.suffix(6))
            let unit = String(decoding: tail.dropFirst(2), as: UTF8.self)
            let backslashes = inner.dropLast(6).reversed().prefix { $0 == 0x5C }.count
            if tail[0] == 0x5C, tail[1] == 0x75, backslashes.isMultiple(of: 2),
                let value = UInt16(unit, radix: 16), (0xD800...0xDBFF).contains(value)
            {
                half = tail
                inner.removeLast(6)
            }
        }
        return JSONText.unescaped(inner[...])
    }

    /// What stands for a half whose mate never came; empty where there is none.
    mutating func flush() -> [UInt8] {
        if half.isEmpty { return [] }
        half = []
        return Array("\u{FFFD}".utf8)
    }
}

/// Joins what one answer says and thinks, each with itself.
struct ProseJoiner: Sendable {
    private var joiner = SurrogateJoiner()
    private var kind = Piece.Kind.text

    /// The pieces that a delta gives: none for the half of a character, which waits for its mate.
    mutating func pieces(_ kind: Piece.Kind, _ content: JSONView?) -> [Piece] {
        guard let content, content.kind == .string else { return [] }
        let before = kind == self.kind ? [] : flush()
        self.kind = kind
        let bytes = joiner.text(content)
        return bytes.isEmpty ? before : before + [Piece(kind, bytes)]
    }

    /// What is left at the end.
    mutating func flush() -> [Piece] {
        let bytes = joiner.flush()
        return bytes.isEmpty ? [] : [Piece(kind, bytes)]
    }
}
