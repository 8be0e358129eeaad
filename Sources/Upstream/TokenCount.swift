internal import JSON

extension JSONView {
    /// A server's count of tokens; nil for what no model can have, so that sums of counts stay numbers.
    var tokens: Int? { int.flatMap { (0...TokenCount.most).contains($0) ? $0 : nil } }
}

/// Bounds of what servers say of tokens.
enum TokenCount {
    static let most = 1 << 40
}
