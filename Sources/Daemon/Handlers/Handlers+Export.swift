internal import Archive
internal import Protocol
internal import Transcripts

extension Handlers {
    static let export: [Handler] = [.on(Method.Export.self) { $0.export }]

    private func export(_ request: Request<Method.Export>) throws(WireError) {
        guard let format = formats[request.parameters.format] else {
            let words = formats.names.map { "'\($0)'" }.joined(separator: " or ")
            throw .invalid("'format' must be \(words)")
        }
        withSession(request.call, request.parameters.id) { [self] (record) throws(WireError) in
            func begin(from seq: Int?) throws(WireError) {
                let run = ExportRun(
                    request, record, format, archives, configuration.limits,
                    try exports.take(request.client.user), from: seq)
                request.call.onCancel = { run.cancel() }
                run.begin()
            }
            guard let after = request.parameters.after else { return try begin(from: nil) }
            look(request.call, PlacesOnPath([after], in: record), of: record.row) {
                [self] (places) throws(WireError) in
                guard let seq = places[after] else { throw offPath(after) }
                try begin(from: seq + 1)
            }
        }
    }
}
