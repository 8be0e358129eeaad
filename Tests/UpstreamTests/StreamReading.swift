internal import Conversation
internal import Testing
internal import Upstream

/// A stream's answer as it is kept, and how it ended.
struct StreamReading: Equatable, CustomStringConvertible {
    /// The parts as a JSON array.
    let content: String
    /// The reason of a whole answer, or `failed` and the kind of failure.
    let end: String
    let finish: Turn.Finish?
    let failure: UpstreamFailure?

    var description: String { "\(end): \(content)" }
    var usage: Usage? { finish?.usage }
    /// The words before the parts, for answers of nothing but text.
    var words: String { Part.decode(Array(content.utf8)).map(\.visibleText).joined() }

    /// Reads bytes whole, one at a time, and in two pieces cut at every place; all must give the same.
    ///
    /// Long streams are cut at some dozen or hundred places, near each line end among them.
    static func of(
        _ bytes: [UInt8], _ dialect: any Dialect, issuer: String = "me",
        _ location: SourceLocation = #_sourceLocation
    ) -> StreamReading {
        let reader = dialect.reader(issuer: issuer)
        let whole = reading(reader, [], bytes[...], issuer)
        var running = reader, before: [Piece] = []
        let stride = max(1, bytes.count / (bytes.count > 100_000 ? 70 : 700))
        for (at, byte) in bytes.enumerated() {
            let isNearEnd = at > 0 && (bytes[at - 1] == 0x0A || byte == 0x0A || byte == 0x0D)
            if at.isMultiple(of: stride) || isNearEnd {
                let cut = reading(running, before, bytes[at...], issuer)
                #expect(cut == whole, "cut at \(at)", sourceLocation: location)
                if cut != whole { break }
            }
            before += running.feed([byte])
        }
        let slow = reading(running, before, [], issuer)
        #expect(slow == whole, "one byte at a time", sourceLocation: location)
        return whole
    }

    static func of(
        _ text: String, _ dialect: any Dialect, issuer: String = "me",
        _ location: SourceLocation = #_sourceLocation
    ) -> StreamReading { of(Array(text.utf8), dialect, issuer: issuer, location) }

    /// Reads a body that was called JSON.
    static func whole(_ body: String, _ dialect: any Dialect, issuer: String = "me") -> StreamReading {
        var reader = dialect.reader(issuer: issuer)
        let (pieces, end) = reader.takeWhole(Array(body.utf8))
        return StreamReading(pieces, end, issuer)
    }

    private static func reading(
        _ reader: any AnswerReader, _ before: [Piece], _ rest: ArraySlice<UInt8>, _ issuer: String
    ) -> StreamReading {
        var reader = reader
        let pieces = before + reader.feed(Array(rest))
        let (last, end) = reader.finish()
        return StreamReading(pieces + last, end, issuer)
    }

    private init(_ pieces: [Piece], _ end: UpstreamEvent, _ issuer: String) {
        var answer = Answer(issuer: issuer)
        for piece in pieces { answer.append(piece) }
        content = String(decoding: answer.content, as: UTF8.self)
        switch end {
        case .finished(let finish): (self.end, self.finish, failure) = (finish.reason, finish, nil)
        case .failed(let why): (self.end, finish, failure) = ("failed \(why.kind.rawValue)", nil, why)
        case .pieces, .retrying: (self.end, finish, failure) = ("pieces", nil, nil)
        }
    }
}
