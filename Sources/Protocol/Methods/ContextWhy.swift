package import Conversation
internal import JSON

extension Method {
    /// `_convod/context/why`: what became of a message in the windows of the last turns.
    package enum ContextWhy: Contract {
        package static let method = Method.contextWhy
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// Turns that are told of at most.
        package static let most = 10

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// A message of the active path.
            package var messageID: MessageID

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                guard let message = try reader.messageID("messageId") else {
                    throw .invalid("'messageId' is missing")
                }
                messageID = message
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var messageId: MessageID
            /// Its place on the active path, from 1.
            package var seq: Int
            /// Whether every window holds it now.
            package var pinned: Bool
            /// Whether no window holds it now.
            package var excluded: Bool
            /// The last turns of the active path that had the message before them, newest first.
            package var turns: [Turn]

            package init(messageId: MessageID, seq: Int, pinned: Bool, excluded: Bool, turns: [Turn]) {
                self.messageId = messageId
                self.seq = seq
                self.pinned = pinned
                self.excluded = excluded
                self.turns = turns
            }

            /// What became of the message in one turn.
            package struct Turn: Codable, Sendable {
                package var turnId: TurnID
                /// The place of the turn's prompt, or of its answer where it had none.
                package var seq: Int
                package var createdAt: Wire.Time
                package var fate: Wire.Receipt.Fate
                /// What left it out: a rule of the receipt, or the message's own status; absent where it was not left out.
                package var rule: String?
                /// The strategy of the window.
                package var strategy: String
                /// Files of the window, whosever message they are in, for which a text with their names was sent; absent where
                /// the message has none, or all of them went.
                package var textsForFiles: Int?
                /// True where the server dropped part of what it was sent, without a word of which.
                package var cutByServer: Bool?
                /// Who was asked; absent when nobody was.
                package var upstream: String?
                /// The model that was asked; absent when none was.
                package var model: String?

                package init(
                    turnId: TurnID, seq: Int, createdAt: Wire.Time, fate: Wire.Receipt.Fate, rule: String?,
                    strategy: String, textsForFiles: Int?, cutByServer: Bool?, upstream: String?,
                    model: String?
                ) {
                    self.turnId = turnId
                    self.seq = seq
                    self.createdAt = createdAt
                    self.fate = fate
                    self.rule = rule
                    self.strategy = strategy
                    self.textsForFiles = textsForFiles
                    self.cutByServer = cutByServer
                    self.upstream = upstream
                    self.model = model
                }
            }
        }
    }
}

extension Wire.Receipt {
    /// What became of a message in a window.
    package enum Fate: String, Codable, Sendable, CaseIterable {
        /// It was sent whole.
        case sent
        /// It was sent whole, since it or what belongs to it is pinned.
        case pinned
        /// Somebody excluded it.
        case excluded
        /// The cut left it out, and a summary of it was sent.
        case summarized
        /// The cut, or its own status, left it out.
        case leftOut
    }

    /// What became of a message that stood on the path before the turn, with what left it out.
    ///
    /// Of more than 100 pins or exclusions the receipt lists the first hundred; of others that counts which holds now.
    package func fate(of seq: Int, _ status: Message.Status, pinned isPinned: Bool, excluded isExcluded: Bool)
        -> (fate: Fate, rule: String?)
    {
        if excluded?.contains(seq) ?? false { return (.excluded, nil) }
        if !status.isSent { return (.leftOut, status.name) }
        if unpaired?.contains(seq) ?? false { return (.leftOut, "unpaired") }
        let isListFull = excludedMessages > excluded?.count ?? 0 && excluded?.count ?? 0 >= 100
        if isExcluded, isListFull { return (.excluded, nil) }
        if let sent, sent.count == 2, sent[0] <= seq, seq <= sent[1] { return (.sent, nil) }
        if pinned?.contains(seq) ?? false { return (.pinned, nil) }
        if isExcluded, excludedMessages > excluded?.count ?? 0 { return (.excluded, nil) }
        if isPinned, pinnedMessages > pinned?.count ?? 0 { return (.pinned, nil) }
        if let summary, (summary.from...max(summary.from, summary.to)).contains(seq) {
            return (.summarized, rule)
        }
        return (.leftOut, rule)
    }
}
