internal import EventLoop
internal import Posix
internal import Upstream

extension Configuration {
    /// What a daemon with this configuration would run without, a clause each: keys that are not at hand, files that others can
    /// read, upstreams that must first be asked for a model.
    func warnings(_ environment: [String: String]) -> [String] {
        if upstreams.isEmpty, !isImplicit {
            return ["no upstream is configured; prompts will be refused until 'upstreams' has one"]
        }
        // Nothing is asked: the loop is only what keys are made with.
        guard let loop = try? EventLoop() else { return [] }
        return upstreams.flatMap { upstream in
            upstream.warnings(environment, loop).map { "upstream '\(upstream.name)': \($0)" }
        }
    }
}

extension UpstreamSettings {
    fileprivate func warnings(_ environment: [String: String], _ loop: EventLoop) -> [String] {
        if kind.isLocal { return [] }
        var found: [String] = []
        for sources in [keys, [signing?.secret].compactMap(\.self)] {
            let ring = KeyRing(sources, of: name, environment: environment, loop: loop, clock: { 0 }) { [$0] }
            found += ring.keys.compactMap { $0.state == .missing ? $0.reason : nil }
        }
        if let google {
            let client = HTTPClient(loop: loop, environment: environment)
            let credentials = GoogleCredentials(
                google, environment: environment, client: client, loop: loop, clock: { 0 })
            if let problem = credentials.problem { found.append(problem) }
        }
        if let caFile {
            do throws(PosixError) {
                let status = try Files.status(caFile, follows: true)
                if status == nil { found.append("'caFile' \(caFile) is not there") }
                if let status, status.kind != .regular {
                    found.append("'caFile' \(caFile) is no file")
                } else if status != nil,
                    !String(decoding: try Files.read(caFile, limit: 16 << 20), as: UTF8.self).contains(
                        "-----BEGIN ")
                {
                    found.append("'caFile' \(caFile) holds no certificate in PEM")
                }
            } catch { found.append("'caFile' \(caFile) cannot be read: \(error.reason)") }
        }
        if model == nil {
            found.append("no 'model' is set; the first that the server lists is asked when nobody names one")
        }
        return found
    }
}
