internal import ContextWindow
internal import Store

/// What is known of how each model counts tokens, read from the store once and kept there with each answer.
final class Calibrations {
    /// Models that are held in memory at most; all others are read again.
    private static let most = 1_000

    private let store: Store
    private var known: [String: Calibration] = [:]

    init(_ store: Store) { self.store = store }

    func of(_ upstream: String, _ model: String) -> Calibration {
        let name = "\(upstream)\n\(model)"
        if let found = known[name] { return found }
        let stored: Learned?
        do { stored = try store.reader.learned(upstream: upstream, model: model) } catch {
            return Calibration()  // a read that failed is not remembered as nothing
        }
        let found =
            stored.map { Calibration(ratio: Double($0.ratio) / 1_000, samples: $0.samples) } ?? Calibration()
        if known.count >= Calibrations.most { known = [:] }
        known[name] = found
        return found
    }

    /// Takes up a provider's count; what is returned is to be stored, nil for nothing.
    func learn(_ upstream: String, _ model: String, counted: Int, estimate: Int) -> Learned? {
        var now = of(upstream, model)
        guard now.learn(counted: counted, estimate: estimate) else { return nil }
        known["\(upstream)\n\(model)"] = now
        return Learned(
            upstream: upstream, model: model, ratio: Int(now.ratio * 1_000), samples: now.samples)
    }
}
