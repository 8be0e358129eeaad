internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    static let opening: [Handler] = [
        .on(Method.SessionLoad.self) { $0.loadSession },
        .on(Method.SessionResume.self) { $0.resumeSession },
    ]

    /// Replays all history; then live updates follow.
    private func loadSession(_ request: Request<Method.SessionLoad>) throws(WireError) {
        withSession(request.call, request.parameters.id) { [self] record in
            take(request.parameters.systemPrompt, on: record, request.call) { [self] record in
                open(record, request.parameters, replaysAll: true, request.call, reply: request.reply)
            }
        }
    }

    /// Replays only what follows a cursor; then live updates follow.
    private func resumeSession(_ request: Request<Method.SessionResume>) throws(WireError) {
        withSession(request.call, request.parameters.id) { [self] record in
            take(request.parameters.systemPrompt, on: record, request.call) { [self] record in
                open(record, request.parameters, replaysAll: false, request.call, reply: request.reply)
            }
        }
    }

    private func open(
        _ record: SessionRecord, _ parameters: OneOpening, replaysAll: Bool, _ call: Client.Call,
        reply: @escaping (Wire.OpenedSession) -> Void
    ) {
        let client = call.client
        let before = client.subscriptions[record.row]?.role
        // Another request may close it and open it anew before this one is done.
        let own = channels.subscribe(client, to: record.row)
        let start: ReplayPlan.Start =
            if let after = parameters.after {
                .after(after.messageID, offset: after.offset)
            } else if !replaysAll {
                .live
            } else {
                parameters.limit.map { .newest($0) } ?? .everything
            }
        let replay = Replay(own, record, start, archives, channels, engine, loop) { [self] result in
            switch result {
            case .success(let replay):
                if replaysAll || parameters.after != nil {
                    sendTitle(of: replay.plan.session.session, client)
                }
                reply(opened(replay))
            case .failure(let error):
                if let joined = client.subscriptions[record.row], joined === own {
                    channels.set(joined, before ?? .controller)
                    channels.takeBack(joined, of: client, from: record.row)
                }
                call.fail(error)
            }
        }
        if let joined = client.subscriptions[record.row] {
            let isObserver = parameters.role == .observer || client.role == .watcher
            channels.set(joined, isObserver ? .observer : .controller)
        }
        call.onCancel = { replay.cancel() }
        replay.begin()
    }

    private func sendTitle(of session: Session, _ client: Client) {
        guard let title = session.title else { return }
        let update = Wire.SessionInfoUpdate(title: .text(title), updatedAt: Wire.Time(session.updatedAt))
        client.link.send(Outgoing.update(update, of: session.id), isPush: false)
    }

    private func opened(_ replay: Replay) -> Wire.OpenedSession {
        let plan = replay.plan, session = plan.session.session, running = replay.running?.id
        let last = running == nil ? plan.opening.last : nil
        return Wire.OpenedSession(
            configOptions: configOptions(session),
            .init(
                headId: plan.opening.headID, messageCount: session.messageCount, running: running,
                lastTurn: last.map { .init($0.0, hasMessage: $0.1) },
                rewind: plan.rewind.map { .init(messageId: $0.id, offset: $0.offset) }))
    }
}
