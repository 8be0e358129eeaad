/// The configuration in force; a reload puts another one in its place, and running calls keep what they began with.
@dynamicMemberLookup
final class CurrentConfiguration {
    private(set) var value: Configuration

    init(_ value: Configuration) { self.value = value }

    subscript<Value>(dynamicMember path: KeyPath<Configuration, Value>) -> Value { value[keyPath: path] }

    /// Puts another one in force.
    func adopt(_ value: Configuration) { self.value = value }
}
