internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop

/// What is known of how each model counts tokens: read at the start, and kept in the archive with each answer.
final class Calibrations {
    /// Models that are known at most.
    private static let most = 2_000

    private var known: [String: Calibration] = [:]
    /// Whether what is kept was read; before that nothing is learned, since it would take the place of that.
    private var isRead = false

    /// Reads what is kept, again and again until that can be read; `tried` is called once, after the first try.
    func read(_ archives: Archives, _ loop: EventLoop, _ tried: @escaping () -> Void) {
        archives.read(AllCalibrations(limit: Calibrations.most)) { [weak self] result in
            defer { tried() }
            guard let self else { return }
            guard case .success(let all) = result else {
                // Nothing is learned meanwhile; why the store cannot be read the recovery says.
                loop.after(milliseconds: Archives.readPause) { [weak self] in
                    self?.read(archives, loop) {}
                }
                return
            }
            isRead = true
            for one in all {
                known[Calibrations.name(one.upstream, one.model)] = Calibration(
                    plain: Calibration.Ratio(Double(one.plain) / 1_000, samples: one.plainSamples),
                    wide: Calibration.Ratio(Double(one.wide) / 1_000, samples: one.wideSamples))
            }
        }
    }

    private static func name(_ upstream: String, _ model: String) -> String { "\(upstream)\n\(model)" }

    func of(_ upstream: String, _ model: String) -> Calibration {
        known[Calibrations.name(upstream, model)] ?? Calibration()
    }

    /// Takes up a provider's count; what is returned is to be stored, nil for nothing.
    func learn(
        _ upstream: String, _ model: String, counted: Int, _ size: ContentSize, _ weights: TokenWeights
    ) -> Learned? {
        var now = of(upstream, model)
        guard isRead, now.learn(counted: counted, size, weights) else { return nil }
        if known.count >= Calibrations.most, let any = known.keys.first { known[any] = nil }
        known[Calibrations.name(upstream, model)] = now
        return Learned(
            upstream: upstream, model: model, plain: Int(now.plain.value * 1_000),
            plainSamples: now.plain.samples, wide: Int(now.wide.value * 1_000), wideSamples: now.wide.samples)
    }
}
