internal import JSON

extension JSONView {
    /// A server's count of tokens; nil for what no model can have, so that sums of counts stay numbers.
    var tokens: Int? { int.flatMap { (0...TokenCount.most).contains($0) ? $0 : nil } }
}

/// Bounds of what servers say of tokens.
enum TokenCount {
    /// A few times what any model holds; what is above it is no count, and then the estimate stands.
    static let most = 1 << 26
}
