internal import Conversation
internal import JSON
internal import Protocol

/// A piece of an answer on its way to one client; it becomes a line only when the socket takes it.
struct Chunk {
    /// Bytes of text a merged chunk may have.
    static let most = 32 << 10

    let session: SessionID
    let messageID: MessageID
    let turnID: TurnID?
    let role: Message.Role
    var piece: Piece
    /// Where the piece begins in its message, in UTF-8 bytes.
    let offset: Int
    /// The message that this one takes the place of, said with its first chunk.
    var replaces: MessageID?
    /// Where the first of several clients that get it leaves its line for the others; nil where there is one.
    var line: SharedLine?

    /// A line that is written once for all who get it.
    final class SharedLine {
        fileprivate var bytes: [UInt8]?
    }

    /// A long text in pieces that each make one chunk, cut between characters.
    static func cut(_ piece: Piece) -> [Piece] {
        if piece.kind == .signature { return [] }  // it is between us and the provider
        if piece.kind == .part { return [piece] }
        // Nothing is said by a thought of which only its seal is known.
        if piece.bytes.isEmpty { return [] }
        guard piece.bytes.count > most else { return [piece] }
        var out: [Piece] = [], start = 0
        while start < piece.bytes.count {
            var end = min(start + most, piece.bytes.count)
            while end < piece.bytes.count && piece.bytes[end] & 0xC0 == 0x80 { end -= 1 }
            out.append(Piece(piece.kind, Array(piece.bytes[start..<end])))
            start = end
        }
        return out
    }

    /// Takes the next chunk in when it goes on where this one ends; false when it does not fit.
    mutating func merge(_ next: Chunk) -> Bool {
        guard next.messageID == messageID, next.piece.kind == piece.kind, piece.kind != .part,
            next.offset == offset + piece.length, piece.length + next.piece.length <= Chunk.most
        else { return false }
        piece.append(next.piece)
        line = nil
        return true
    }
}

/// Writes chunks as `session/update` notifications.
struct ChunkWriter {
    func write(_ chunk: Chunk, to out: inout [UInt8]) {
        guard let line = chunk.line else { return writeAnew(chunk, to: &out) }
        if let bytes = line.bytes {
            out += bytes
        } else {
            let start = out.count
            writeAnew(chunk, to: &out)
            line.bytes = Array(out[start...])
        }
    }

    private func writeAnew(_ chunk: Chunk, to out: inout [UInt8]) {
        let speaker: Wire.MessageChunk.Speaker =
            chunk.role == .user ? .user : chunk.piece.kind == .thought ? .thought : .agent
        if chunk.piece.kind == .part { return writePart(chunk, speaker, to: &out) }
        out += #"{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":""#.utf8
        out += chunk.session.text.utf8  // an ID needs no escapes
        out += #"","update":{"sessionUpdate":""#.utf8
        out += speaker.rawValue.utf8
        out += #"","content":{"type":"text","text":"#.utf8
        JSONText.append(chunk.piece.bytes[...], to: &out)
        out += "}".utf8
        writeTail(chunk, to: &out)
    }

    private func writeTail(_ chunk: Chunk, to out: inout [UInt8]) {
        out += #","messageId":""#.utf8
        chunk.messageID.append(to: &out)
        out += #"","_meta":{"convod":{"#.utf8
        if let turn = chunk.turnID {
            out += #""turnId":""#.utf8
            turn.append(to: &out)
            out += #"","#.utf8
        }
        out += #""offset":"#.utf8
        out += String(chunk.offset).utf8
        if let replaced = chunk.replaces {
            out += #","replaces":""#.utf8
            replaced.append(to: &out)
            out += #"""#.utf8
        }
        out += "}}}}}\n".utf8
    }

    /// A part that is no text: tool calls and results in ACP's own updates, other content as a chunk.
    private func writePart(_ chunk: Chunk, _ speaker: Wire.MessageChunk.Speaker, to out: inout [UInt8]) {
        guard let view = try? JSONDocument(chunk.piece.bytes).root, let part = try? Part(checking: view)
        else { return }
        if case .redactedThought = part { return }  // it is between us and the provider
        let update: any JSONRepresentable =
            switch part {
            case .toolCall(let call):
                Wire.ToolCall(
                    toolCallId: call.id, title: call.name, rawInput: RawJSON(call.arguments),
                    meta: .init(
                        .init(
                            turnId: chunk.turnID, messageId: chunk.messageID, offset: chunk.offset,
                            replaces: chunk.replaces)))
            case .toolResult(let result):
                Wire.ToolCallUpdate(
                    toolCallId: result.callID, status: result.isError ? "failed" : "completed",
                    rawOutput: RawJSON(result.content),
                    meta: .init(
                        .init(turnId: chunk.turnID, messageId: chunk.messageID, offset: chunk.offset)))
            default:
                Wire.MessageChunk(
                    sessionUpdate: speaker, content: RawJSON(Array(view.raw)), messageId: chunk.messageID,
                    meta: .init(
                        .init(turnId: chunk.turnID, offset: chunk.offset, replaces: chunk.replaces)))
            }
        out += Outgoing.update(update, of: chunk.session)
    }
}
