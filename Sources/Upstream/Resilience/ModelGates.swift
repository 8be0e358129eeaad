/// Until when nothing is asked for each model, and why: limits are a model's own.
struct ModelGates<Reason> {
    /// Models that are remembered, since any user may name any: the gate that opens first makes room.
    private static var most: Int { 256 }

    /// A time in which nothing is sent for a model.
    struct Gate {
        /// In milliseconds of a clock that never goes back.
        let until: Int64
        let reason: Reason
    }

    private var gates: [String: Gate] = [:]

    /// When what is asked for a model may go out, 0 where nothing is against it; nil stands for one that is not said.
    func until(for model: String?) -> Int64 { model.flatMap { gates[$0]?.until } ?? 0 }

    /// The last moment at which one of them is open again, 0 where none is closed.
    var latest: Int64 { gates.values.map(\.until).max() ?? 0 }

    /// What is against asking for a model now; nil for nothing.
    func gate(for model: String, now: Int64) -> Gate? { gates[model].flatMap { $0.until > now ? $0 : nil } }

    mutating func close(_ model: String, until: Int64, _ reason: Reason, now: Int64) {
        if gates[model] == nil, gates.count >= ModelGates.most {
            gates = gates.filter { $0.value.until > now }
            if gates.count >= ModelGates.most, let first = gates.min(by: { $0.value.until < $1.value.until })
            {
                gates[first.key] = nil
            }
        }
        gates[model] = Gate(until: until, reason: reason)
    }
}

extension ModelGates.Gate: Equatable where Reason: Equatable {}
extension ModelGates.Gate: Sendable where Reason: Sendable {}
extension ModelGates: Equatable where Reason: Equatable {}
extension ModelGates: Sendable where Reason: Sendable {}
