internal import Protocol
internal import Transcripts

extension Handlers {
    static let export: [Handler] = [.on(Method.Export.self) { $0.export }]

    private func export(_ request: Request<Method.Export>) throws(WireError) {
        guard let format = formats[request.parameters.format] else {
            let words = formats.names.map { "'\($0)'" }.joined(separator: " or ")
            throw .invalid("'format' must be \(words)")
        }
        withSession(request.call, request.parameters.id) { [self] record in
            let run = ExportRun(request, record, format, archives, configuration.limits)
            request.call.onCancel = { run.cancel() }
            run.begin()
        }
    }
}
