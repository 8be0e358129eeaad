extension Wire {
    /// What a request would cost by the table of prices, in dollars.
    package struct CostEstimate: Codable, Sendable {
        /// The request, where the provider reads all of it anew.
        package var input: Double
        /// The request, where it has all but the new prompt in its cache; absent where it keeps none.
        package var cachedInput: Double?
        /// An answer as long as is kept free for one.
        package var output: Double

        package init(input: Double, cachedInput: Double?, output: Double) {
            self.input = input
            self.cachedInput = cachedInput
            self.output = output
        }
    }
}
