internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Store

extension Handlers {
    /// `session/load` replays all history, `session/resume` only what follows a cursor; then live updates follow.
    func openSession(_ call: Call, replaysAll: Bool) throws(WireError) {
        let asked = try OpenSessionParameters(call.params)
        withSession(call, asked.id) { [self] record in
            open(record, asked, replaysAll: replaysAll, call)
        }
    }

    private func open(
        _ record: SessionRecord, _ asked: OpenSessionParameters, replaysAll: Bool, _ call: Call
    ) {
        let connection = call.connection
        let before = services.channels.subscription(of: connection, to: record.row).map {
            ($0.isObserver, $0.isWatched)
        }
        // Another request may close it and open it anew before this one is done.
        let own = services.channels.subscribe(connection, to: record.row)
        let replay = Replay(own, record, services, engine) { [self] result in
            switch result {
            case .success(let replay): opened(replay, sendsTitle: replaysAll || asked.after != nil, call)
            case .failure(let error):
                if let joined = services.channels.subscription(of: connection, to: record.row), joined === own
                {
                    let (isObserver, isWatched) = before ?? (false, false)
                    services.channels.set(joined, isObserver: isObserver, isWatched: isWatched)
                    services.channels.takeBack(joined, of: record.row)
                }
                call.fail(error)
            }
        }
        if let joined = services.channels.subscription(of: connection, to: record.row) {
            services.channels.set(joined, isObserver: asked.role == .observer, isWatched: false)
        }
        call.onCancel = { replay.cancel() }
        if let after = asked.after {
            replay.begin(after: after.messageID, offset: after.offset)
        } else if !replaysAll {
            replay.beginLive()
        } else if let limit = asked.limit {
            replay.begin(newest: limit)
        } else {
            replay.begin()
        }
    }

    private func opened(_ replay: Replay, sendsTitle: Bool, _ call: Call) {
        let session = replay.session.session
        if sendsTitle, let title = session.title {
            let update = JSONWriter.object {
                $0.member("sessionUpdate", "session_info_update")
                $0.member("title", title)
                $0.member("updatedAt", Timestamp.text(session.updatedAt))
            }
            call.connection.send(Channels.line(update: update, of: session.id))
        }
        call.reply {
            writeConfigOptions(session, to: &$0)
            $0.member("_meta") {
                $0.member("convod") {
                    $0.optional("headId", replay.opening.headID?.description)
                    $0.member("messageCount", session.messageCount)
                    $0.optional("running", replay.running?.id.description)
                    if replay.running == nil, let (turn, hasMessage) = replay.opening.last {
                        write(last: turn, hasMessage, to: &$0)
                    }
                    if let rewind = replay.rewind {
                        $0.member("rewind") {
                            $0.member("messageId", rewind.id.description)
                            $0.member("offset", rewind.offset)
                        }
                    }
                }
            }
        }
    }

    /// How a turn ended, for a client that was away.
    private func write(last turn: TurnRecord, _ hasMessage: Bool, to writer: inout JSONWriter) {
        writer.member("lastTurn") {
            $0.member("turnId", turn.id.description)
            $0.member("state", turn.state.name)
            if hasMessage { $0.member("messageId", turn.answerID.description) }
            $0.optional("stopReason", turn.stopReason?.rawValue)
            if let error = turn.error { $0.failure(error.kind, error.message) }
            $0.optional("endedAt", turn.endedAt.map(Wire.time))
        }
    }
}
